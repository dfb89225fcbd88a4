"""Comparison of densities: what two or more results have in common, shell by shell."""

from .comparison import DENSITIES_FILE, AlignedDensity, DensityComparison, DensityPair

__all__ = ["DENSITIES_FILE", "AlignedDensity", "DensityComparison", "DensityPair"]
