"""Notebooks 02 and 03: does random search over sparse networks beat a random one?"""
