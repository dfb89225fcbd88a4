"""Page and figures of a comparison of densities."""
