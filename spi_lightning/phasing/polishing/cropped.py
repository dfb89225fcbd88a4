"""Polish of whole arrays, each cropped to its own support, in two or three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.progress import Progress

from .polish import polish

_AT_ONCE = 2**24  # voxels of patterns polished together


@dataclass(frozen=True)
class CroppedPolish:
    """Result of polish_cropped().

    Attributes:
        density: (B, spatial) complex, origin at n // 2, 0 outside the support.
        chi_square: (B,) relative squared error over the measured voxels.
        point_spread: (B, axes) root mean square widths of the blur by partial coherence, pixels; None: none fitted.
        steps: Number of steps of L-BFGS made, fewer than the limit after convergence.
    """

    density: Tensor
    chi_square: Tensor
    point_spread: Tensor | None
    steps: int


@torch.no_grad()
def polish_cropped(
    density: Tensor,
    support: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    steps: int,
    point_spread: float | None = None,
    progress: Progress | None = None,
) -> CroppedPolish:
    """Polish densities of one pattern, each within its own support; see polish.polish.

    L-BFGS stores twenty densities of each start; cropped to the supports they take a small part of memory and time.

    Args:
        density: (B, spatial) complex, spatial (y, x) or (z, y, x).
        support: (B, spatial) bool; it may lie anywhere, also across the edges.
        fourier_amplitude: (spatial) float, sqrt(photons), origin at n // 2.
        mask: (spatial) bool, True = measured.
        steps: Number of steps of L-BFGS.
        point_spread: Initial width along each axis of a fitted blur by partial coherence, pixels; None: no blur.
        progress: Called after every step with its number, ``steps`` and chi square of the current densities.

    Raises:
        UserError: The densities are not complex, or a support is empty.
    """
    ndim = density.ndim - 1
    if not density.is_complex() or ndim not in (2, 3):
        raise UserError(f"polish: densities {density.dtype} {tuple(density.shape)}; give complex ones in 2D or 3D")
    if not bool(support.flatten(1).any(1).all()):
        raise UserError("polish: a support is empty; give shrink-wrap a lower threshold, or leave polish_steps=0")
    if ndim == 2:  # as a volume of one plane, along whose axis nothing can blur
        density, support, fourier_amplitude, mask = (
            each.unsqueeze(-3) for each in (density, support, fourier_amplitude, mask)
        )
    widths = None
    if point_spread is not None:
        widths = fourier_amplitude.new_full((len(density), 3), point_spread)
        widths[:, : 3 - ndim] = 0
    count = max(1, _AT_ONCE // fourier_amplitude.numel())
    found = []
    for begin in range(0, len(density), count):
        part = slice(begin, begin + count)
        width = None if widths is None else widths[part]
        found.append(_polish_part(density[part], support[part], fourier_amplitude, mask, steps, width, progress))
    whole = torch.cat([each.density for each in found])
    spreads = [each.point_spread[:, 3 - ndim :] for each in found if each.point_spread is not None]
    return CroppedPolish(
        whole.squeeze(-3) if ndim == 2 else whole,
        torch.cat([each.chi_square for each in found]),
        torch.cat(spreads) if spreads else None,
        max(each.steps for each in found),
    )


def _polish_part(
    density: Tensor,
    support: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    steps: int,
    widths: Tensor | None,
    progress: Progress | None,
) -> CroppedPolish:
    """Polish of a part of the densities, (B, Z, Y, X), in one batch."""
    box = boxes_around(support)
    patterns, masks = (each.expand(density.shape) for each in (fourier_amplitude, mask))
    start = (density * support)[box]
    found = polish(start, patterns, masks, steps, support[box], point_spread=widths, progress=progress)
    whole = torch.zeros_like(density)
    whole[box] = found.density
    return CroppedPolish(whole, found.chi_square, found.point_spread, len(found.history) - 1)


def boxes_around(support: Tensor) -> tuple[Tensor, ...]:
    """Indices that crop (B, Z, Y, X) to boxes of one size around each support, across the edges if needed.

    Returns:
        One tensor for each axis, broadcastable to (B, z, y, x): ``array[indices]`` is the cut.
    """
    first = torch.arange(len(support), device=support.device)
    indices = [first.view(-1, 1, 1, 1)]
    for axis in (1, 2, 3):
        begin, side = _span(support.any([other for other in (1, 2, 3) if other != axis]))
        along = (begin[:, None] + torch.arange(side, device=support.device)) % support.shape[axis]
        indices.append(along.view(-1, *_shape(axis, side)))
    return tuple(indices)


def _shape(axis: int, side: int) -> Sequence[int]:
    return [side if other == axis else 1 for other in (1, 2, 3)]


def _span(occupied: Tensor) -> tuple[Tensor, int]:
    """Start (B,) of the shortest arc with all True values of each ring (B, n), and the length of the longest arc."""
    n = occupied.shape[1]
    position = torch.arange(2 * n, device=occupied.device)
    last = torch.where(occupied.repeat(1, 2), position, -1).cummax(1).values
    gap = torch.where(occupied, position[n:] - last[:, n - 1 : -1], 0)  # from the True before, counted round the ring
    widest, begin = gap.max(1)
    return begin, int((n + 1 - widest).max())
