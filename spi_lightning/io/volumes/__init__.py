"""Readers and writers of densities and 3D patterns for other programs: CXI images, VTI, MRC, NPZ."""
