"""The public surface for notebooks and scripts: numpy or torch in, results that print and draw themselves out.

Its names are those of the package itself: ``from spi_lightning import open_patterns, phase``. Nothing here computes;
each function gathers what the rooms above need and calls them.
"""
