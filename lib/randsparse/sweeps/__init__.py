"""Sweeps: many runs, in processes or on a cluster, within a budget, and brought home."""
