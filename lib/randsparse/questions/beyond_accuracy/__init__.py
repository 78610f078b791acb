"""Notebook 06: calibration, other images, corruptions and attacks."""
