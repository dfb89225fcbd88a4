"""A network that cannot take a shape is named with the shape and the mend; other mistakes pass."""

from pathlib import Path

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.methods.size_mismatch import require_size, size_refused

RUN = Path("run.ckpt")


def test_the_line_names_network_shape_and_remedy() -> None:
    message = r"unet: the network of run.ckpt cannot take patterns of 8 x 9 pixels \(.*trained"
    with pytest.raises(UserError, match=message), size_refused("unet", RUN, (8, 9)):
        torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 2, 8, 9))
    message = r"4 x 4 x 4 voxels .*; give data.size=8\.$"
    with pytest.raises(UserError, match=message), size_refused("wu", RUN, torch.Size((4, 4, 4)), "give data.size=8"):
        torch.zeros(2) + torch.zeros(3)


def test_other_mistakes_pass() -> None:
    with pytest.raises(RuntimeError, match="out of memory"), size_refused("unet", RUN, (8, 8)):
        raise RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="broken"), size_refused("unet", RUN, (8, 8), first=False):
        raise RuntimeError("broken")
    with size_refused("unet", RUN, (8, 8)):
        pass


@pytest.mark.parametrize(
    ("shape", "crop", "bin", "fitting"),
    [
        ((120, 160), None, 2, "preprocess.crop=64 preprocess.bin=1"),
        ((128, 160), None, 2, "preprocess.crop=128 preprocess.bin=2 or preprocess.crop=64 preprocess.bin=1"),
        ((300, 260), 256, 2, "preprocess.crop=128 preprocess.bin=2 or .*crop=64 preprocess.bin=1 or .*256 .*bin=4"),
        ((65, 65), None, 1, "preprocess.crop=64 preprocess.bin=1"),
        ((100, 100), 128, 2, "preprocess.crop=64 preprocess.bin=1"),
        ((60, 80), None, 1, "the patterns are smaller; use a checkpoint trained at this size"),
    ],
)
def test_numbers_that_fit_are_named(shape, crop, bin, fitting) -> None:
    with pytest.raises(UserError, match=rf"takes 64 x 64 pixels, .*: (set )?{fitting}$"):
        require_size("a.h5", RUN, shape, 64, crop, bin)


@pytest.mark.parametrize(
    ("shape", "crop", "bin"), [((64, 64), None, 1), ((128, 128), None, 2), ((150, 170), 128, 2), ((64, 90), 64, 1)]
)
def test_sizes_that_fit_pass(shape, crop, bin) -> None:
    require_size("a.h5", RUN, shape, 64, crop, bin)
