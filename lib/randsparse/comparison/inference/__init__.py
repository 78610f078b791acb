"""Inference for crossed candidates: gains of search, correlations, variance components, pooled differences, power."""
