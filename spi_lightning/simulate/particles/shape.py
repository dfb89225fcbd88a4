"""Particles of any form: a shape says how deep a point lies below its surface, and is scaled to a known volume."""

from math import pi
from typing import Final, Protocol, runtime_checkable

import torch
from torch import Tensor

from spi_lightning.errors import UserError

DEPTH_SAMPLES: Final = 96  # along the beam, of the sums that give the chords through a shape
_POINTS: Final = 96  # along each axis, of the sum that gives the volume
_INSIDE_BOX: Final = 1e-3  # of the volume, largest share beyond the stated radius


class Shape(Protocol):
    """A body in lengths of any unit.

    Attributes:
        radius: Radius of the smallest sphere around the origin that holds the body.
    """

    radius: float

    def depth(self, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Distance of points z, y, x (...) to the surface, (...), positive inside; far away only its sign counts."""
        ...


@runtime_checkable
class Family(Protocol):
    """Many bodies under one name, told apart by a number, that know their own projections.

    Attributes:
        radius: Radius of a sphere around the origin that holds every one of them, in diameters.
    """

    radius: float

    def moments(self, form: Tensor, affine: Tensor, positions: Tensor, order: int) -> list[Tensor]:
        """Chord moments 0 to ``order`` of particles, (P, n, n) each, see projection.chord_moments.

        Args:
            form: (P,) int64 numbers of the bodies, any from 0 on.
            affine: (P, 3, 3) matrices from the body to the particle.
            positions: (P, n) sample positions along y and x, diameters.
            order: Highest moment.
        """
        ...


class UnitShape:
    """A shape scaled to the volume of a sphere of diameter 1.

    Args:
        shape: Shape in its own unit of length.
        name: Name of the shape, for the errors.

    Attributes:
        unit: Diameter of the sphere of the same volume, in the shape's unit.
        radius: Radius of the smallest centred sphere around the body, in volume-equivalent diameters.
        depth_samples: Samples along the beam; those that the shape asks for, else DEPTH_SAMPLES.

    Raises:
        UserError: The shape has no volume, or reaches beyond its radius.
    """

    def __init__(self, shape: Shape, name: str) -> None:
        points = (2 * torch.arange(_POINTS) + 1 - _POINTS) / _POINTS * (1.25 * shape.radius)
        step = float(points[1] - points[0])
        grid = torch.meshgrid(points, points, points, indexing="ij")
        share = (shape.depth(*grid) / step + 0.5).clamp(0, 1)
        volume = float(share.sum()) * step**3
        beyond = torch.stack(grid).norm(dim=0) > shape.radius + 2 * step
        if not volume > 0:
            raise UserError(f"simulate.*.shapes.{name}: no point lies inside it; depth must be positive there")
        if float(share[beyond].sum()) * step**3 > _INSIDE_BOX * volume:
            raise UserError(f"simulate.*.shapes.{name}.radius={shape.radius:g}: the body reaches further; give more")
        self.shape, self.unit = shape, (6 * volume / pi) ** (1 / 3)
        self.radius: float = shape.radius / self.unit
        self.depth_samples = int(getattr(shape, "depth_samples", DEPTH_SAMPLES))

    def depth(self, z: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Distance of points to the surface, positive inside; all in volume-equivalent diameters."""
        unit = self.unit
        depth: Tensor = self.shape.depth(unit * z, unit * y, unit * x) / unit
        return depth
