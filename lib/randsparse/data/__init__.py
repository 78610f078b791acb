"""Datasets, their splits and their batches."""
