import pytest
import torch

from spi_lightning.data.measurement import Measurement
from spi_lightning.reconstruction.region import autocorrelation_region, require_room
from tests.physics.bragg.test_hot_voxels import SHAPE, crystal


@pytest.mark.parametrize("where", [(13,), (slice(None), slice(18, 22)), (..., slice(15, 17))])
def test_holes_of_a_scan_do_not_widen_the_support_of_its_autocorrelation(
    where: tuple[int | slice, ...],
) -> None:
    amplitude, mask = crystal().sqrt(), torch.ones(SHAPE, dtype=torch.bool)
    whole, _ = autocorrelation_region(Measurement(amplitude, mask, counted=True), 0.004)
    mask[where] = False
    measured = Measurement(torch.where(mask, amplitude, 0.0), mask, counted=True)
    found, _ = autocorrelation_region(measured, 0.004)
    require_room(found[0], 2.0, measured)
    assert int((found ^ whole).sum()) < 0.1 * int(whole.sum())
