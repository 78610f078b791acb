"""Notebook 12: random masks on a table and on text."""
