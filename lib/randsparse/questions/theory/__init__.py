"""Notebook 07: why a random mask contains what one needs."""
