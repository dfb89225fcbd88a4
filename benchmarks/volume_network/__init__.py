"""Network and polish against the iterative recipe of Wu et al. (2021), on the same arrays and held-out voxels."""
