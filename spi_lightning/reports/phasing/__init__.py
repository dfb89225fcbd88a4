"""Page and figures of a phasing run."""
