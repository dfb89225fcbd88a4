"""Page and figures of an orientation run."""
