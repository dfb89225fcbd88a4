"""Single frames: beam centre, hits, sizes, binning, detector units, saturated and flagged counts."""
