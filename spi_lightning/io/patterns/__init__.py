"""Stacks of 2D patterns of any format: `open_patterns`, and readers of HDF5, TIFF, npy and index lists."""
