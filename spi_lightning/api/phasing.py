"""Phase one pattern, or find the supports of many, from arrays or files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.one_frame import measure_pattern
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile
from spi_lightning.io.dragonfly.merged import is_merged
from spi_lightning.progress import Listener
from spi_lightning.reconstruction import (
    AUTO,
    Phasing,
    ReconstructionSettings,
    assess,
    bars,
    measure_merged,
    reconstruct,
    silent,
)
from spi_lightning.results import PhasingResult

from .configured import names_in, settings_of
from .patterns import DATA_WORDS, Patterns, as_patterns
from .python_words import in_python, require_words
from .scans import is_scan, measure_scan

if TYPE_CHECKING:
    from spi_lightning.methods import SupportMethod

_PHASING: Final = ("recipe", "constraint")
_LEAST_INSIDE: Final = 0.65  # of the intensity of a 3D pattern; 0.5 of like frames


@in_python
def phase(
    pattern: Patterns | Measurement,
    mask: ArrayLike | Tensor | None = None,
    *,
    support: str | ArrayLike | Tensor = AUTO,
    starts: int = 20,
    frame: int | None = None,
    beam_centre: tuple[float, float] | None = None,
    crop: int | None = None,
    bin: int = 1,
    geometry: Mapping[str, float] | None = None,
    progress: bool = True,
    **settings: Any,
) -> PhasingResult:
    """Reconstruct the density behind one diffraction pattern from many random starts.

    Args:
        pattern: Photons or intensities (y, x) of one pattern; or (z, y, x) of a 3D one with its origin at n // 2; or an
            open file or its path, of which ``frame`` is phased; or a rocking scan: its path, or the Measurement that
            measure_scan gives; or the path of a merged intensity of Dragonfly, or of the run that made it.
        mask: Bool, of the same shape, True where measured; None: the file's, or all pixels that are finite.
        support: First support: ``auto`` (box of a volume, autocorrelation of others), ``autocorrelation``,
            ``circle``, ``box``, ``double_intersection``, ``triple_intersection``, run folder of a support network, or a
            bool array of the pattern's shape.
        starts: Number of independent starts, run as one batch.
        frame: Number of the frame in a file or stack; None: the first.
        beam_centre: Row and column of the direct beam of a 2D pattern, pixel; None: found by symmetry.
        crop: Edge of the square around the beam that is kept of a 2D pattern, pixel; None: the largest that fits.
        bin: Number of pixels summed along each axis of a 2D pattern.
        geometry: distance, pixel_size (m) and photon_energy (eV) of a 2D pattern, which give lengths in m, instead of
            the file's; of a rocking scan that of measure_scan.
        progress: Whether bars are drawn.
        settings: ``recipe`` of the phasing, a line or a name in conf/phasing/, its ``constraint``, and all others of
            reconstruction.ReconstructionSettings. A volume is phased as a Bragg crystal, with a complex density, where
            they do not say otherwise; a note says so. A merged intensity is that of a real, positive density.

    Returns:
        The result: ``density`` with its origin at n // 2, ``support``, ``prtf``, errors and notes.

    Raises:
        UserError: A pattern that cannot be phased as the settings say, or an unknown setting.

    Examples:
        >>> from spi_lightning import open_patterns, phase
        >>> photons = open_patterns("hits.cxi").read([0])[0]
        >>> recipe = "20*ER + 2*(20*HIO(0.9) + 10*ER)"
        >>> result = phase(photons, beam_centre=(16, 16), starts=2, recipe=recipe, support="circle", progress=False)
        >>> result.density.shape
        (32, 32)
        >>> result.error.shape
        (80, 2)
    """
    choices = ReconstructionSettings(support=_support(support), starts=starts, **_settings(settings))
    measured = _measured(pattern, mask, frame, beam_centre, crop, bin, geometry)
    result, _ = assess(reconstruct(measured, choices, instantiate, bars if progress else silent))
    return replace(result, about=replace(result.about, data=_source(pattern)))


def _source(pattern: Any) -> str:
    """File of a pattern; empty for arrays and measurements."""
    if isinstance(pattern, PatternFile):
        return "" if pattern.format == "array" else str(pattern.path)
    return os.fspath(pattern) if isinstance(pattern, str | os.PathLike) else ""


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Fields of ReconstructionSettings; UserError for an unknown setting."""
    known = ReconstructionSettings.__dataclass_fields__.keys() | set(_PHASING)
    require_words("phase", settings, sorted(known - {"phasing"}), "settings are")
    phasing: dict[str, Any] = {name: settings.pop(name) for name in _PHASING if name in settings}
    if phasing.get("recipe") in names_in("phasing"):
        phasing = settings_of("phasing", phasing.pop("recipe")) | phasing
    if phasing:
        settings["phasing"] = Phasing(**phasing)
    return settings


def _support(support: Any) -> str | Tensor:
    return support if isinstance(support, str | Tensor) else torch.as_tensor(np.asarray(support))


def _measured(
    pattern: Any,
    mask: Any,
    frame: int | None,
    beam_centre: tuple[float, float] | None,
    crop: int | None,
    bin: int,
    geometry: Mapping[str, float] | None,
) -> Measurement:
    if isinstance(pattern, Measurement):
        _require_no_mask(mask)
        return pattern
    axes = getattr(pattern, "ndim", None) or (np.ndim(pattern) if isinstance(pattern, list) else None)
    if axes == 3 and frame is None:
        measured = Measurement.from_intensity(pattern, mask)
        _require_volume(measured)
        return measured
    if frame is None and isinstance(pattern, str | os.PathLike) and is_merged(pattern):
        _require_no_mask(mask)
        return measure_merged(pattern, crop=crop, geometry=geometry)
    if frame is None and isinstance(pattern, str | os.PathLike) and is_scan(pattern, geometry or {}):
        _require_no_mask(mask)
        limits = {"size": crop, "bin": bin if bin > 1 else None}
        settings: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
        return measure_scan(pattern, geometry=geometry, **settings)
    return measure_pattern(as_patterns(pattern, mask), frame, beam_centre, crop, bin, geometry=dict(geometry or {}))


def _require_no_mask(mask: Any) -> None:
    """UserError for a mask beside a measurement or a rocking scan, which have their own."""
    if mask is not None:
        raise UserError("mask: a measurement has its own; of a scan, measure_scan(path, bad_pixels=NAME) takes it")


def _require_volume(measured: Measurement) -> None:
    """UserError for a stack of frames, whose intensity does not gather in the middle of its first axis."""
    profile = measured.fourier_amplitude.double().square().sum((1, 2))
    n = len(profile)
    inside = float(profile[n // 4 : n - n // 4].sum() / profile.sum().clamp(min=1e-300))
    if n > 3 and inside < _LEAST_INSIDE:
        raise UserError(
            f"pattern: shape {tuple(measured.mask.shape)} with {100 * inside:.0f} % of the intensity in the middle "
            "half of its first axis, as in a stack of frames: give frame=NUMBER; of a 3D pattern with its origin "
            "elsewhere, Measurement.from_intensity(pattern, mask)"
        )


@in_python
def find_support(
    patterns: Patterns,
    mask: ArrayLike | Tensor | str | None = None,
    *,
    method: str | SupportMethod = "triple_intersection",
    **data: Any,
) -> NDArray[np.bool_]:
    """Supports of patterns, of each from its own pattern alone.

    Args:
        patterns: Photons or intensities (N, y, x) or (y, x), origin at n // 2; or an open file or its path.
        mask: Bool, (y, x) or (N, y, x), True where measured; None: the file's, or all pixels that are finite.
        method: Name of a method of conf/method/, such as ``autocorrelation_support``, ``double_intersection``,
            ``triple_intersection`` or ``shrinkwrap_support``; run folder of a support network; or a method.
        data: Of a path, what open_patterns takes: ``adu_per_photon``, ``photons``, ``index``, ...

    Returns:
        (N, y, x) bool, or (y, x) for one pattern, True inside; at any whole shift, and in either twin.

    Raises:
        UserError: Patterns that cannot be read, or an unknown method.

    Examples:
        >>> from spi_lightning import find_support, simulate_patterns
        >>> patterns = simulate_patterns("hits", 2, shape=[32, 32])
        >>> support = find_support(patterns, method="double_intersection")
        >>> support.shape, support.dtype
        ((2, 32, 32), dtype('bool'))
    """
    from spi_lightning.evaluation.supports import SupportQuestion  # imports Lightning, as phase need not

    from .evaluation import method_of

    require_words("find_support", data, DATA_WORDS)
    finder = method_of(method, "supports")
    part = SupportQuestion.of_file(as_patterns(patterns, mask, words=data)).part
    found: NDArray[np.bool_] = finder.answer(part, Listener()).support
    return found[0] if getattr(patterns, "ndim", 3) == 2 else found
