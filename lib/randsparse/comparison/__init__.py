"""Comparisons: arms, searches, statistics, verdicts and the marks of charts."""
