"""How large a missing centre network and triple intersection bear: 0 to 6 speckles wide, without noise.

A speckle is frame / diameter pixels wide, of the disc with the particle's radius of gyration; the central one 2.4. For
each width all are set anew on 100 patterns of validation structures. The intersection and the network trained on ideal
patterns see the centre filled by baselines.fill_unmeasured; the latter also as it was measured, with zeros.
"""

import argparse

from benchmarks.bellisario_figures.sweeps import sweep

SPECKLES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def main(options: argparse.Namespace) -> None:
    """Tables, numbers and curves."""
    label = "width of the missing centre (speckles)"
    sweep(options, "missing_centre", label, SPECKLES, lambda speckles: {"missing": speckles}, holes=True)
