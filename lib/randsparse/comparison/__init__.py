"""Comparisons: arms, cells of campaigns, statistics, verdicts and the marks of charts."""
