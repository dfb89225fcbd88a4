"""Metrics of supports and 2D densities, up to translation and twin."""
