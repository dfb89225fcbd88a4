"""Page and figures of an evaluation of supports."""
