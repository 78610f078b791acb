"""Notebook 11: what does a search cost, and what does it give for that?"""
