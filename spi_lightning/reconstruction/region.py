"""How large the particle is, as far as its autocorrelation tells, and whether the pattern is sampled finely enough."""

from __future__ import annotations

import torch
from omegaconf import DictConfig
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.autocorrelation import autocorrelation_support, over_axes
from spi_lightning.physics.hole_filling import fill_holes
from spi_lightning.physics.support import own_parts

_NOISY = 0.05  # of the largest autocorrelation: photon noise above which the edge of the particle is lost
_SPECK, _SMALL = 64, 0.002  # pixels of the largest speck of noise, and as a share of the middle part
_NEGATIVE = 0.1  # of the largest autocorrelation, below 0: the mark of a badly filled centre


def autocorrelation_region(measured: Measurement, threshold: float) -> tuple[Tensor, Tensor]:
    """Where the autocorrelation is above a fraction of its maximum and photon noise, (1, ...), and its values."""
    amplitude = measured.fourier_amplitude[None]
    counted = torch.tensor([measured.photons], device=amplitude.device)
    intensity = torch.where(over_axes(counted, measured.mask.ndim), amplitude.square().round(), amplitude.square())
    ndim, noisy, mask = measured.mask.ndim, bool(counted[0]), measured.mask[None]
    if ndim == 3 and not mask.all():  # of a strained crystal no Friedel mate fills a hole
        intensity, mask = fill_holes(intensity[0], measured.mask)[None], torch.ones_like(mask)
    region, found = autocorrelation_support(
        intensity, mask, threshold=threshold, photons=noisy, connected=False, ndim=ndim
    )
    return (own_parts(region, ndim, _SPECK, _SMALL) if noisy else region), found


def region_notes(autocorrelation: Tensor, measured: Measurement, cfg: DictConfig) -> list[Note]:
    """What to know of an autocorrelation (spatial) that is noise, or filled, where its edge should be."""
    notes, largest = [], autocorrelation.max()
    if measured.photons:
        photons = float(measured.fourier_amplitude.square().sum())
        noise = 4 / (2 * photons) ** 0.5  # see shot_noise, relative to the largest value
        if noise > max(_NOISY, cfg.support_threshold):
            notes.append(
                Note.of(
                    f"only {photons:.0f} photons: below {noise:.2g} of its largest value the autocorrelation is "
                    "noise, so the support began where it is above that, not above "
                    f"support_threshold={cfg.support_threshold:g}, and "
                    "may be smaller than the particle; support=circle, or one you know, may do better"
                )
            )
    hidden, least = int((~measured.mask).sum()), float(autocorrelation.min() / largest)
    if hidden and least < -_NEGATIVE and str(cfg.phasing.constraint) == "positive":
        notes.append(
            Note.of(
                f"{hidden} pixels are not measured, and filled as well as can be they leave an autocorrelation of "
                f"{least:.2f} of its maximum, which no positive density has: the size of the particle is a guess; give "
                "support= a .npy file or a network's run if you know better"
            )
        )
    return notes


def require_room(region: Tensor, least: float, measured: Measurement) -> None:
    """UserError where the autocorrelation's region leaves no room: the pattern is sampled too coarsely to be phased."""
    axis, extent = _widest(region)
    n = region.shape[axis]
    ratio = 2 * n / (extent + 1)
    if ratio >= least:
        return
    hidden, counted = int((~measured.mask).sum()), measured.photons
    why = f"{hidden} pixels that are not measured had to be guessed, which widens it; " if hidden else ""
    mend = f"bin less ({'data.bin' if region.ndim == 2 else 'data.preparation.bins'}) if it is binned"
    narrower = _narrower(measured, least) if hidden or counted else None
    if narrower is not None:
        mend += (
            f", give support_threshold={narrower:g} if you know that the particle is smaller and what is seen is "
            "background" + (" or comes of those pixels" if hidden else "")
        )
    if hidden:
        mend += (
            ", give support=box or a .npy file, which need no autocorrelation, if the particle is at most half as wide "
            "as the array"
        )
    raise UserError(
        f"the autocorrelation spans {extent} of {n} pixels along axis {axis}: the oversampling ratio is {ratio:.2f} or "
        f"less, {least:g} is needed; {why}{mend}, or lower least_oversampling."
    )


def _widest(region: Tensor) -> tuple[int, int]:
    """Axis along which a region (spatial) fills most of the array, and its extent there, pixels."""
    extents = []
    for axis in range(region.ndim):
        along = torch.nonzero(region.any(tuple(other for other in range(region.ndim) if other != axis)))
        extents.append(int(along.max() - along.min()) + 1)
    axis = max(range(region.ndim), key=lambda each: extents[each] / region.shape[each])
    return axis, extents[axis]


def _narrower(measured: Measurement, least: float) -> float | None:
    """The lowest of some thresholds at which the autocorrelation leaves room, and a support of half the pixels or less.

    A support that holds more would be refused in turn, see require_determined.
    """
    for threshold in (0.01, 0.02, 0.05, 0.1, 0.2):
        region = autocorrelation_region(measured, threshold)[0][0]
        axis, extent = _widest(region)
        if 2 * region.shape[axis] / (extent + 1) >= least and 2 * int(region.sum()) <= region.numel():
            return threshold
    return None


def require_determined(support: Tensor, name: str, moves: bool) -> None:
    """UserError for a support (spatial) that is empty, or so wide that the amplitudes do not determine a density.

    Args:
        support: bool, where phasing begins.
        name: What was asked for, for the message.
        moves: Whether the recipe tightens it.
    """
    pixels, inside = support.numel(), int(support.sum())
    if not inside:
        raise UserError(f"support={name}: it is empty (False everywhere); mark where the particle may be.")
    if inside == pixels:
        raise UserError(f"support={name}: it is True everywhere and says nothing; mark where the particle may be.")
    if 2 * inside > pixels and not moves:
        raise UserError(
            f"support={name}: it holds {inside} of {pixels} pixels, and a recipe that keeps its support needs one that "
            "holds half or less; add + shrinkwrap(2.0, 0.1)/20 to phasing.recipe, or begin with "
            "support=triple_intersection."
        )
