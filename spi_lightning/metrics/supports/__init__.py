"""Metrics of supports and 2D densities, whichever twin they are and wherever they lie."""
