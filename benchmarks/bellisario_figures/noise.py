"""How many photons network and triple intersection need: 10 to 10,000 in a speckle of the first bright ring.

For each number all are set anew on 100 patterns of validation structures with as many photons: levels of the score;
shares of the autocorrelation, multiples of shot noise, pixels of growth.
"""

import argparse

from benchmarks.bellisario_figures.sweeps import sweep

PHOTONS = (10.0, 100.0, 1e3, 1e4)


def main(options: argparse.Namespace) -> None:
    """Tables, numbers and curves."""
    label = "photons in a speckle of the first bright ring"
    sweep(options, "noise", label, PHOTONS, lambda photons: {"photons_per_speckle": (photons, photons)})
