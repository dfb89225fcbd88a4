"""Summary of a measured pattern."""

import numpy as np
import pytest
import torch

from spi_lightning.data import Measurement
from spi_lightning.data.scans.single_pattern import ScanMeasurement


def test_a_pattern_prints_what_it_holds_and_no_flags() -> None:
    mask = np.ones((8, 10), dtype=bool)
    mask[:2] = False
    measured = Measurement.from_intensity(np.full((8, 10), 4.0), mask)
    assert repr(measured).splitlines()[:5] == [
        "Measurement",
        "  pattern   8 x 10 pixels",
        "  unit      photons",
        "  sum       240",
        "  measured  75 % of the pixels",
    ]


@pytest.mark.parametrize("shape", [(4, 5, 8)])
def test_a_scan_prints_the_pixel_of_its_density(shape: tuple[int, ...]) -> None:
    step = tuple(1 / (n * 2.5e-9) for n in shape)  # 1/m, of pixels of 2.5 nm
    printed = repr(ScanMeasurement(torch.rand(shape), torch.ones(shape, dtype=torch.bool), step))
    assert "2.5 x 2.5 x 2.5 nm of the density" in printed and "relative intensity" in printed
    assert "laboratory  not known: incomplete geometry" in printed
