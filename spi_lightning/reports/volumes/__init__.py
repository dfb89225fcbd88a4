"""Page and figures of a comparison of 3D phasing."""
