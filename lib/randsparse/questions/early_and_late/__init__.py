"""Notebook 10: why does the early advantage of a searched network disappear?"""
