"""First supports of a reconstruction: by name, of a file, an array or a network; and whether they determine it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from spi_lightning.baselines.triple_intersection import double_intersection, triple_intersection
from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.fields import SUPPORT
from spi_lightning.notes import Level, Note
from spi_lightning.physics.array import box_around, middle, resized
from spi_lightning.physics.hole_filling import fill_holes
from spi_lightning.physics.support import autocorrelation_support, ideal_support, own_parts

from .network import MakeTask, network_answer
from .settings import ReconstructionSettings

AUTOCORRELATED: Final = ("autocorrelation", "circle", "double_intersection", "triple_intersection")
NAMED: Final = (*AUTOCORRELATED, "box", "ideal")
_NOISY: Final = 0.05  # of the largest autocorrelation: photon noise above which the edge of the particle is lost
_SPECK, _SMALL = 64, 0.002  # pixels of the largest speck of noise, and as a share of the middle part
_NEGATIVE: Final = 0.1  # of the largest autocorrelation, below 0: the mark of a badly filled centre
_NARROWER: Final = (0.01, 0.02, 0.05, 0.1, 0.2)  # thresholds that are tried for a remedy


def starting_support(
    measured: Measurement, settings: ReconstructionSettings, make_task: MakeTask | None = None
) -> tuple[Tensor, list[Note]]:
    """The support that the settings name, bool of the pattern's shape, origin at n // 2, and notes on its doubts.

    Args:
        measured: The pattern to be phased.
        settings: Of these support, support_threshold, least_oversampling and the constraint decide.
        make_task: See network_answer; needed where the support is a network's.

    Raises:
        UserError: An unknown name; a file or array of another shape, empty or full; a simulated density that the data
            lack; a pattern sampled too coarsely; a support too wide for a recipe that keeps it.
    """
    settings = settings.for_kind(measured.kind)
    support, notes = _support(measured, settings, make_task)
    _require_determined(support, settings.support_name, settings.phasing.read().moves_support)
    return support, notes


def _support(
    measured: Measurement, settings: ReconstructionSettings, make_task: MakeTask | None
) -> tuple[Tensor, list[Note]]:
    """The support, determined or not, and notes."""
    name, shape = settings.support, measured.mask.shape
    if isinstance(name, Tensor):
        return _same_shape(name.bool(), "array", shape), []
    if name in AUTOCORRELATED:
        return _from_autocorrelation(name, measured, settings)
    if name == "ideal":
        return resized(ideal_support(_truth(measured), ndim=len(shape)), shape), []
    if name == "box":
        return _box(shape), []
    if Path(name).suffix == ".npy":
        return _from_file(name, shape), []
    return network_answer(name, measured, SUPPORT, make_task, NAMED)[0], []


def _from_autocorrelation(
    name: str, measured: Measurement, settings: ReconstructionSettings
) -> tuple[Tensor, list[Note]]:
    """One of the supports that the autocorrelation's region gives, (spatial) bool, and notes on that region."""
    ndim, (region, autocorrelation) = measured.mask.ndim, autocorrelation_region(measured, settings.support_threshold)
    _require_oversampling(region[0], settings.least_oversampling, measured)
    notes = _region_notes(autocorrelation[0], measured, settings)
    if name == "circle":
        return _circle(region[0]), notes
    if name == "double_intersection":
        return double_intersection(region, ndim=ndim)[0], notes
    if name == "triple_intersection":
        return triple_intersection(region, autocorrelation, ndim=ndim)[0], notes
    return region[0], notes


def autocorrelation_region(measured: Measurement, threshold: float) -> tuple[Tensor, Tensor]:
    """Where the autocorrelation exceeds a fraction of its maximum and noise, (1, spatial) bool, and its values."""
    noisy, ndim, mask = measured.photons, measured.mask.ndim, measured.mask[None]
    intensity = measured.fourier_amplitude.square()[None]
    intensity = intensity.round() if noisy else intensity
    if measured.kind == "crystal" and not mask.all():  # of a strained crystal no Friedel mate fills a hole
        intensity, mask = fill_holes(intensity[0], measured.mask)[None], torch.ones_like(mask)
    region, found = autocorrelation_support(
        intensity, mask, threshold=threshold, photons=noisy, connected=False, ndim=ndim
    )
    return (own_parts(region, ndim, _SPECK, _SMALL) if noisy else region), found


def _region_notes(autocorrelation: Tensor, measured: Measurement, settings: ReconstructionSettings) -> list[Note]:
    """Lines on an autocorrelation (spatial) that is noise, or filled, where its edge should be."""
    notes, largest = [], autocorrelation.max()
    if measured.photons:
        photons = float(measured.fourier_amplitude.square().sum())
        noise = 4 / (2 * photons) ** 0.5  # see shot_noise, relative to the largest value
        if noise > max(_NOISY, settings.support_threshold):
            text = (
                f"only {photons:.0f} photons: below {noise:.2g} of its largest value the autocorrelation is noise, so "
                "the support began where it is above that, not above "
                f"support_threshold={settings.support_threshold:g}, and may be smaller than the particle; "
                "support=circle, or one you know, may do better"
            )
            notes.append(Note.of(text))
    hidden, least = int((~measured.mask).sum()), float(autocorrelation.min() / largest)
    if hidden and least < -_NEGATIVE and settings.phasing.constraint == "positive":
        text = (
            f"{hidden} pixels are not measured, and filled as well as can be they leave an autocorrelation of "
            f"{least:.2f} of its maximum, which no positive density has: the size of the particle is a guess; give "
            "support= a .npy file or a network's run if you know better"
        )
        notes.append(Note.of(text))
    return notes


def _require_oversampling(region: Tensor, least: float, measured: Measurement) -> None:
    """UserError where the autocorrelation's region fills the array: the pattern is sampled too coarsely."""
    axis, extent = _widest(region)
    n = region.shape[axis]
    ratio = _oversampling(n, extent)
    if ratio >= least:
        return
    hidden = int((~measured.mask).sum())
    why = f"{hidden} pixels that are not measured had to be guessed, which widens it; " if hidden else ""
    remedy = f"bin less ({'data.bin' if region.ndim == 2 else 'data.preparation.bin'}) if it is binned"
    narrower = _narrower(measured, least) if hidden or measured.photons else None
    if narrower is not None:
        remedy += (
            f", give support_threshold={narrower:g} if you know that the particle is smaller and what is seen is "
            "background" + (" or comes of those pixels" if hidden else "")
        )
    if hidden:
        remedy += (
            ", give support=box or a .npy file, which need no autocorrelation, if the particle is at most half as wide "
            "as the array"
        )
    doubts = [note.text for note in measured.notes if note.level is Level.WARNING]
    likely = f"; but first: {'; '.join(doubts)}" if doubts else ""
    raise UserError(
        f"the autocorrelation spans {extent} of {n} pixels along axis {axis}: the oversampling ratio is {ratio:.2f} or "
        f"less, {least:g} is needed; {why}{remedy}, or lower least_oversampling{likely}"
    )


def _oversampling(n: int, extent: int) -> float:
    """Array over particle along an axis of ``n`` pixels, of the extent of its autocorrelation, pixel."""
    return 2 * n / (extent + 1)


def _widest(region: Tensor) -> tuple[int, int]:
    """Axis along which a region (spatial) fills most of the array, and its extent there, pixels."""
    extents = [side.stop - side.start for side in box_around(region, region.ndim)]
    axis = max(range(region.ndim), key=lambda each: extents[each] / region.shape[each])
    return axis, extents[axis]


def _narrower(measured: Measurement, least: float) -> float | None:
    """The lowest of some thresholds whose region is sampled finely enough and holds half of the pixels or less.

    A support that holds more would be refused in turn, see _require_determined.
    """
    for threshold in _NARROWER:
        region = autocorrelation_region(measured, threshold)[0][0]
        axis, extent = _widest(region)
        if _oversampling(region.shape[axis], extent) >= least and 2 * int(region.sum()) <= region.numel():
            return threshold
    return None


def _require_determined(support: Tensor, name: str, moves: bool) -> None:
    """UserError for a support (spatial) that is empty, or so wide that the amplitudes do not determine a density.

    Args:
        support: (spatial) bool, where phasing begins.
        name: Word for the support in the message.
        moves: Whether the recipe tightens the support.
    """
    pixels, inside = support.numel(), int(support.sum())
    if not inside:
        raise UserError(f"support={name}: it is empty (False everywhere); mark where the particle may be")
    if inside == pixels:
        raise UserError(f"support={name}: it is True everywhere and says nothing; mark where the particle may be")
    if 2 * inside > pixels and not moves:
        raise UserError(
            f"support={name}: it holds {inside} of {pixels} pixels, and a recipe that keeps its support needs one that "
            "holds half or less; add + shrinkwrap(2.0, 0.1)/20 to phasing.recipe, or begin with "
            "support=triple_intersection"
        )


def _truth(measured: Measurement) -> Tensor:
    if measured.density is None:
        raise UserError("support=ideal needs the density of a simulated file; choose another support")
    return measured.density


def _box(shape: torch.Size) -> Tensor:
    """Half of each axis, around the middle. Source: Wu et al. (2021), Methods."""
    made = torch.zeros(shape, dtype=torch.bool)
    made[middle(shape, [n // 2 for n in shape])] = True
    return made


def _circle(region: Tensor) -> Tensor:
    """Disc or ball as wide as the particle's greatest elongation, half that of its autocorrelation (spatial)."""
    squared = torch.zeros((), dtype=torch.float64)
    for axis, n in enumerate(region.shape):
        along = torch.arange(n, dtype=torch.float64) - n // 2
        squared = squared + along.square().view(-1, *(1,) * (region.ndim - 1 - axis))
    return squared <= squared[region].max() / 4


def _from_file(path: str, shape: torch.Size) -> Tensor:
    """A support of a .npy file, of the shape of the pattern."""
    try:
        stored = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"support={path}: cannot be read, there is no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"support={path}: cannot be read; save a bool array with numpy.save") from error
    if stored.dtype.kind not in "biuf" or (stored.shape == tuple(shape) and not np.isin(stored, (0, 1)).all()):
        raise UserError(
            f"support={path}: it holds other values than True and False (or 1 and 0), {stored.dtype}; save "
            "density > threshold"
        )
    return _same_shape(torch.from_numpy(stored != 0), path, shape)


def _same_shape(support: Tensor, name: str, shape: torch.Size) -> Tensor:
    """A support of the shape of the pattern. Raises UserError for another."""
    if support.shape != shape:
        raise UserError(f"support={name}: its shape {tuple(support.shape)} is not that of the pattern, {tuple(shape)}")
    return support
