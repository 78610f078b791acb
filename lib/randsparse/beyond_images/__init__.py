"""The same masks and methods on data that is no images: what notebook 12 runs, and what it makes of it."""
