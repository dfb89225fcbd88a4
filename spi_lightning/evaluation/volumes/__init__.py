"""Evaluation of 3D phasing: each pattern with draws of held-out voxels, errors, ensembles, and exported densities.

From arrays in a notebook: ``compare_volumes(fourier_amplitude, [IterativeVolume(recipe), GradientVolume()]).metrics``.
"""

from spi_lightning.results.volumes import VolumeSettings

from .comparison import Comparison, compare, compare_volumes
from .question import VolumeMethod, VolumeQuestion

__all__ = ["Comparison", "VolumeMethod", "VolumeQuestion", "VolumeSettings", "compare", "compare_volumes"]
