"""Laboratory directions by name, x+ to z-, and rotations about them; vectors are ordered z, y, x, float64."""

import math
from typing import Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError

_AXES: Final = {"z": 0, "y": 1, "x": 2}


def direction(name: str) -> Tensor:
    """Unit vector (3,) z, y, x of x+, x-, y+, ..."""
    if len(name) != 2 or name[0] not in _AXES or name[1] not in "+-":
        raise UserError(f"data.geometry: {name!r} is not a direction; write x+, x-, y+, y-, z+ or z-")
    vector = torch.zeros(3, dtype=torch.float64)
    vector[_AXES[name[0]]] = 1.0 if name[1] == "+" else -1.0
    return vector


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product of vectors (..., 3) ordered z, y, x."""
    product: Tensor = torch.linalg.cross(a.flip(0), b.flip(0)).flip(0)
    return product


def rotation(axis: str, angle_deg: float) -> Tensor:
    """Right-handed rotation (3, 3) about a direction, acting on vectors ordered z, y, x."""
    unit, angle = direction(axis), math.radians(angle_deg)
    eye = torch.eye(3, dtype=torch.float64)
    turned = torch.stack([cross(unit, column) for column in eye], dim=1)
    return math.cos(angle) * eye + math.sin(angle) * turned + (1 - math.cos(angle)) * torch.outer(unit, unit)
