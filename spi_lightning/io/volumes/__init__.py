"""Densities and 3D patterns as files that other programs open: CXI images, VTI, MRC, NPZ."""
