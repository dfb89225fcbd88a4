"""A selection of hits to orientations and a merged intensity, by Dragonfly."""
