import os
from pathlib import Path

import pytest

from spi_lightning.data import measure_scan
from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import read_pattern

S0054 = Path(os.environ.get("SPI_DATA", "../shared/data")) / "bragg" / "aps34idc_S0054_128.h5"


@pytest.mark.skipif(not S0054.is_file(), reason="the rocking scan S0054 is not in SPI_DATA")
def test_steps_are_those_along_the_measured_axes() -> None:
    made = measure_scan(S0054, preparation=Preparation(size=32, bin=2))
    assert made.fourier_amplitude.shape == made.mask.shape == (32, 32, 32) and made.frequency_step is not None
    vectors = read_pattern(S0054, preparation=Preparation(size=32, bin=2)).voxel_vectors()
    assert vectors is not None
    for axis, step in enumerate(made.frequency_step):
        assert 1 / (32 * step) == pytest.approx(float(vectors[:, axis].norm()))
    # detector pixels of 55 um at 0.5 m and 1.378 Angstrom, two binned: 0.5 m * 1.378e-10 m / (32 * 110 um)
    assert 1 / (32 * made.frequency_step[1]) == pytest.approx(0.5 * 1.3776e-10 / (32 * 110e-6), rel=0.05)
