"""Stacks of 2D patterns: `open_patterns` for any format, and the readers of HDF5, TIFF, npy and index lists."""
