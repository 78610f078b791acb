"""Masks: which weights there are, and which of them are of use."""
