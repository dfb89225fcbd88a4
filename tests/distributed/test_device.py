"""Devices by name."""

import pytest
import torch

from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError


def test_a_device_that_is_not_there_is_a_user_error() -> None:
    with pytest.raises(UserError, match="device=tpu9 is not available here"):
        find_device("tpu9")
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda")
