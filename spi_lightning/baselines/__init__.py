"""Classification without training: neighbours of patterns, graphs and maps made of them, features to compare them by.

Pure functions of tensors and sparse matrices; files, answers and decisions belong to methods.
"""

from spi_lightning.baselines.neighbours import nearest, nearest_to

__all__ = ["nearest", "nearest_to"]
