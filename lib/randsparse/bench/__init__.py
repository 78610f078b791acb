"""`make bench`: what masking costs, and how fast training is, measured on this machine.

Times on a shared machine are noisy, so that ratios of things measured side by side are what counts.
"""

from randsparse.bench.report import main

__all__ = ["main"]
