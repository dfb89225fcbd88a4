"""Device that tensors are computed on, by its name."""

from __future__ import annotations

import torch

from spi_lightning.errors import UserError


def find_device(device: str) -> torch.device:
    """Device of a name.

    Args:
        device: ``auto`` (the GPU if there is one), or a name of torch: ``cpu``, ``cuda``, ``cuda:1``, ...

    Raises:
        UserError: The name is unknown, or this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device={device} is not available here ({str(error).splitlines()[0]}); use auto or cpu"
        ) from error
    return found
