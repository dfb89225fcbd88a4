"""Box of the density in a refinement: from the pattern, as in the paper or by number, with warnings if too small."""

import math
from collections.abc import Sequence

import torch
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note, NoteWarning
from spi_lightning.physics.oversampling import estimate_oversampling

from .refiner import AXES

_EDGE = 0.2  # amplitude at the faces of the box, over the largest, from which the particle counts as cut


def box_for(pattern: Tensor, box: str | Sequence[int], margin: float) -> tuple[int, int, int]:
    """Edges of the box along z, y, x, voxel.

    Args:
        pattern: Fourier amplitudes (B, 1, Z, Y, X), sqrt(photons), of one common box.
        box: Three numbers; ``autocorrelation``: the extent of the particle times ``margin``; ``half``: of the pattern.
        margin: Ratio of the box to the extent.

    Raises:
        UserError: The box is not three numbers, or larger than the pattern.
    """
    shape = pattern.shape[-3:]
    found = [estimate_oversampling(one[0].square()) for one in pattern]
    extent = [max(one.extent[axis] for one in found) for axis in range(3)]
    if box == "half":
        sides = [n // 2 for n in shape]
    elif box == "autocorrelation":
        sides = [min(n, math.ceil(side * margin)) for side, n in zip(extent, shape, strict=True)]
    else:
        sides = _stated_sides(box, shape)
    rank_zero_info(f"particle of {' x '.join(f'{side:.0f}' for side in extent)} voxels, box {sides} of {list(shape)}")
    tight = [axis for axis in range(3) if round(extent[axis], 1) > sides[axis]]  # as it is logged
    if tight:
        cut = ", ".join(f"{extent[axis]:.1f} voxels in {sides[axis]} along {'zyx'[axis]}" for axis in tight)
        whole = any(sides[axis] == shape[axis] for axis in tight)
        text = f"the particle is larger than its box, task.box={box}: {cut}; {_remedy(box, whole)}"
        rank_zero_warn(NoteWarning(Note.of(text)))
    return sides[0], sides[1], sides[2]


def _remedy(box: str | Sequence[int], whole: bool) -> str:
    """Remedy for a box that is too small; ``whole``: it is all of the pattern."""
    if whole:
        return "the pattern is sampled too coarsely there, give a smaller data.bin"
    return "raise task.margin" if box == "autocorrelation" else "give more voxels, or task.box=autocorrelation"


def _stated_sides(box: str | int | Sequence[int], shape: Sequence[int]) -> list[int]:
    """Edges of a box of three numbers or one, voxel."""
    sides = [int(side) for side in box] if isinstance(box, Sequence) and not isinstance(box, str) else []
    if len(sides) != 3 or any(not 1 <= side <= n for side, n in zip(sides, shape, strict=True)):
        raise UserError(f"task.box={box}: give three numbers from 1 to those of the pattern, {list(shape)}")
    return sides


def warn_of_the_box(density: Tensor) -> None:
    """Warn where the particle (M, z, y, x) fills its box from face to face.

    A particle at one face alone is complete, since a pattern does not determine its position.
    """
    amplitude = density.abs()
    level = _EDGE * amplitude.flatten(1).amax(1)
    full = []
    for axis, name in zip(AXES, "zyx", strict=True):
        emptier = torch.minimum(*(amplitude.select(axis, side).flatten(1).mean(1) for side in (0, -1)))
        if (emptier > level).float().mean() > 0.5:
            full.append(name)
    if full:
        text = (
            f"the particle fills its box along {', '.join(full)} from face to face and may be cut: raise task.margin, "
            "or give a larger task.box"
        )
        rank_zero_warn(NoteWarning(Note.of(text)))


def cut_to_support(density: Tensor, support: Tensor) -> Tensor:
    """Crop of (M, Z, Y, X) to the smallest box around all supports, for small files."""
    sides = []
    for axis in (1, 2, 3):
        others = tuple(other for other in range(4) if other != axis)
        on = support.any(others[0], keepdim=True).any(others[1], keepdim=True).any(others[2], keepdim=True)
        index = on.flatten().nonzero()[:, 0]
        sides.append(slice(int(index.min()), int(index.max()) + 1))
    return density[:, sides[0], sides[1], sides[2]].contiguous()
