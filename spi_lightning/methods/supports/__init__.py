"""Methods that find supports: autocorrelation, intersections, shrink-wrap, trained networks."""
