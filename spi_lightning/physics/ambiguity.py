"""What a far-field pattern cannot tell: position, and the twin rho*(-r). One rule makes the answer unique."""

import torch
from torch import Tensor


def invert(image: Tensor, ndim: int) -> Tensor:
    """rho(-r) about the origin n // 2, of the last ``ndim`` axes; periodic, so index 0 of an even axis stays."""
    axes = tuple(range(-ndim, 0))
    even = [1 - image.shape[axis] % 2 for axis in axes]
    return torch.roll(image.flip(axes), even, axes)


def twin(density: Tensor, ndim: int) -> Tensor:
    """The twin rho*(-r), which has the same Fourier amplitudes; same shape and dtype."""
    inverted = invert(density, ndim)
    return inverted.conj() if density.is_complex() else inverted


def centre_of_mass(density: Tensor, ndim: int) -> Tensor:
    """Mean position of |density| relative to the origin n // 2, (..., ndim), pixel; of an image that does not wrap."""
    weight, centre = density.abs(), []
    total = weight.sum(tuple(range(-ndim, 0))).clamp_min(torch.finfo(weight.dtype).tiny)
    for axis, coordinate in zip(range(-ndim, 0), _coordinates(weight, ndim), strict=True):
        along = weight.sum([other for other in range(-ndim, 0) if other != axis])
        centre.append((along * coordinate.flatten()).sum(-1) / total)
    return torch.stack(centre, dim=-1)


def third_moment(density: Tensor, ndim: int) -> Tensor:
    """The vector sum |density| |r|^2 r / sum |density|, (..., ndim), pixel^3; it changes sign with the twin."""
    weight, axes = density.abs(), tuple(range(-ndim, 0))
    coordinates = _coordinates(weight, ndim)
    squared = sum((coordinate.square() for coordinate in coordinates), start=torch.zeros((), device=weight.device))
    weight, total = weight * squared, weight.sum(axes).clamp_min(torch.finfo(weight.dtype).tiny)
    return torch.stack([(weight * coordinate).sum(axes) / total for coordinate in coordinates], dim=-1)


def is_canonical(density: Tensor, ndim: int) -> Tensor:
    """True where a centred density, not its twin, is the canonical one: the third moment points to larger x.

    Where its last component vanishes the one before decides. Returns (...) bool; a density equal to its twin is
    canonical.
    """
    moment = third_moment(density, ndim)
    threshold = 1e-6 * density.shape[-1] ** 3
    decided = torch.zeros(moment.shape[:-1], dtype=torch.bool, device=moment.device)
    canonical = torch.ones_like(decided)
    for component in moment.flip(-1).unbind(-1):
        clear = ~decided & (component.abs() > threshold)
        canonical = torch.where(clear, component > 0, canonical)
        decided |= clear
    return canonical


def canonical_twin(density: Tensor, ndim: int) -> Tensor:
    """The one of rho(r) and rho*(-r) that all targets are given in, centred by its centre of mass.

    Args:
        density: (..., y, x) or (..., z, y, x), real or complex; it may wrap around the edges.
        ndim: Axes of the image.

    Returns:
        The same shape: the centre of mass of |density| on the pixel nearest to n // 2, its third moment towards larger
        x (``is_canonical``). rho(r), rho*(-r) and any whole-pixel translation of them give the same answer.
    """
    centred = centre(density, ndim)
    keep = is_canonical(centred, ndim)
    return torch.where(keep[(..., *(None,) * ndim)], centred, twin(centred, ndim))


def centre(density: Tensor, ndim: int) -> Tensor:
    """Roll the centre of mass of |density| to the pixel nearest to n // 2; one that wraps is put together first."""
    rolled = roll_each(density, -_circular_centre(density, ndim).round().long(), ndim)
    return roll_each(rolled, -centre_of_mass(rolled, ndim).round().long(), ndim)


def roll_each(image: Tensor, shift: Tensor, ndim: int) -> Tensor:
    """Roll every image of a batch by its own whole pixels, (..., spatial) with shift (..., ndim) int64."""
    if not bool(shift.any()):
        return image
    for axis in range(-ndim, 0):
        edge, view = image.shape[axis], [1] * ndim
        view[axis] = edge
        along = torch.arange(edge, device=image.device).view(view)
        index = (along - shift[..., axis][(..., *(None,) * ndim)]) % edge
        image = image.gather(axis, index.expand(image.shape))
    return image


def _circular_centre(density: Tensor, ndim: int) -> Tensor:
    """Centre on the circle that each periodic axis is, relative to n // 2; (..., ndim) pixel."""
    weight, centre = density.abs(), []
    for axis, coordinate in zip(range(-ndim, 0), _coordinates(weight, ndim), strict=True):
        along = weight.sum([other for other in range(-ndim, 0) if other != axis])
        angle = 2 * torch.pi / density.shape[axis] * coordinate.flatten()
        mean = torch.atan2((along * angle.sin()).sum(-1), (along * angle.cos()).sum(-1))
        centre.append(mean * density.shape[axis] / (2 * torch.pi))
    return torch.stack(centre, dim=-1)


def _coordinates(image: Tensor, ndim: int) -> list[Tensor]:
    """Pixel positions from the origin n // 2 along each axis, broadcastable to the image.

    Index 0 of an even axis is its own mirror image and counts as 0.
    """
    coordinates = []
    for axis in range(ndim):
        edge, view = image.shape[axis - ndim], [1] * ndim
        view[axis] = edge
        along = torch.arange(edge, device=image.device, dtype=image.dtype) - edge // 2
        if edge % 2 == 0:
            along[0] = 0
        coordinates.append(along.view(view))
    return coordinates
