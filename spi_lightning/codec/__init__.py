"""Codec of results: any dataclass to an HDF5 file and back, by its annotations."""

from .hdf5 import load, save
from .typed import LazyArray

__all__ = ["LazyArray", "load", "save"]
