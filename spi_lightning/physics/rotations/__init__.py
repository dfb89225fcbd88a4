"""Rotations and orientations: quaternions, symmetry groups, symmetry axes."""
