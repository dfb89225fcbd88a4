"""Baselines without training: neighbours and graphs of patterns, and supports from autocorrelations.

Pure functions of tensors and sparse matrices, without files or decisions.
"""

from typing import TYPE_CHECKING

from spi_lightning import lazily

if TYPE_CHECKING:
    from .vectors import AngularVectors, PixelVectors

__all__ = ["AngularVectors", "PixelVectors"]

__getattr__ = lazily(__name__)
