"""Notebook 05: which density should each layer have?"""
