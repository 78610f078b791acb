"""Masks that change while they train, started sparse: what notebooks 08 and 09 run, and what they make of it."""
