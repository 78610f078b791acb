"""Training: from a run to its record."""
