"""Notebook 08: methods that change their mask, from dense and random sources."""
