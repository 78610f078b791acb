"""Notebook 09: networks inside random networks whose weights are never trained."""
