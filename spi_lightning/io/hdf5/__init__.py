"""HDF5 files of any layout: opened safely, their data sets, values and geometry found by meaning.

Readers of patterns and scans build on it; no reader of its own lives here.
"""
