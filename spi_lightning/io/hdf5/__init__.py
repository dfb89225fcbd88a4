"""HDF5 files of any layout: safe opening, and the search for data sets, values and geometry by their meaning.

The readers of patterns and scans build on it; this package reads no format of its own.
"""
