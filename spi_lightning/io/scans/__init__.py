"""Readers of rocking scans of Bragg coherent diffraction: TIFF series with a spec header, HDF5, NeXus, CXI."""
