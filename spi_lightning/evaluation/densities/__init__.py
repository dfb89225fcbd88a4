"""Comparison of densities: two or more results on one grid, aligned, and their correlation shell by shell.

Files, run folders or arrays in, a DensityComparison out::

    compared = compare([open_density("runs/phase/a"), open_density("b.mrc")], DensitySettings(mask="soft"))
"""

from .compare import compare
from .opening import OpenDensity, of_array, open_density
from .settings import DensitySettings

__all__ = ["DensitySettings", "OpenDensity", "compare", "of_array", "open_density"]
