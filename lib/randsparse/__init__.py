"""Random sparse networks: masks, search over masks, and the runs that compare them."""
