"""Page and figures of an evaluation of hits."""
