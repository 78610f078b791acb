"""Notebook 01: random masks, their densities and what of them is of use."""
