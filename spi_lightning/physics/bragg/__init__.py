"""Rocking scans: geometry of the voxels, corrections of the frames, the 3D pattern around a Bragg peak."""
