"""Stacks of 2D patterns: `open_patterns` for any format, readers of HDF5, CXI, TIFF, npy and lists, and CxiWriter."""
