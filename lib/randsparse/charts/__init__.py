"""The charts of the study: each takes a tidy frame and returns a figure for `plots.save`."""
