"""Why a random mask contains what one needs: probabilities, constructions, subset sums, and trained networks."""
