"""Notebook 04: does a larger network lose less to a random mask?"""
