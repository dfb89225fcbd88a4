"""Polish of a density after phasing: L-BFGS on chi square in a support, with blur, shrink-wrap or HIO."""
