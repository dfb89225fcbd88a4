"""A network that cannot take a shape is named with the shape and the mend; other mistakes pass."""

from pathlib import Path

import pytest
import torch

from spi_lightning.fields import UserError
from spi_lightning.methods.refused_size import size_refused

RUN = Path("run.ckpt")


def test_the_line_names_network_shape_and_mend() -> None:
    said = r"unet: the network of run.ckpt cannot take patterns of 8 x 9 pixels \(.*trained"
    with pytest.raises(UserError, match=said), size_refused("unet", RUN, (8, 9)):
        torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 2, 8, 9))
    said = r"4 x 4 x 4 voxels .*; give data.size=8\.$"
    with pytest.raises(UserError, match=said), size_refused("wu", RUN, torch.Size((4, 4, 4)), "give data.size=8"):
        torch.zeros(2) + torch.zeros(3)


def test_other_mistakes_pass() -> None:
    with pytest.raises(RuntimeError, match="out of memory"), size_refused("unet", RUN, (8, 8)):
        raise RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="broken"), size_refused("unet", RUN, (8, 8), first=False):
        raise RuntimeError("broken")
    with size_refused("unet", RUN, (8, 8)):
        pass
