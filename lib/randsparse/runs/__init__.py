"""Runs: what determines one, its record, and the store of records."""
