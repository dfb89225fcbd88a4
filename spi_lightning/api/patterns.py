"""Patterns of files, arrays and simulations as one type, io.PatternFile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from spi_lightning import io
from spi_lightning.errors import UserError, whole_number
from spi_lightning.fields import BEAM_CENTRE, DENSITY, FIELDS, INTENSITY, IS_SINGLE_HIT, MASK, PHOTONS
from spi_lightning.fingerprint import fingerprint
from spi_lightning.io import ArrayFrames, PatternFile, PatternKeys
from spi_lightning.io.masks.convention import NOTHING_LEFT, excluded_shares
from spi_lightning.io.patterns.assembly import sample_frames, sample_indices
from spi_lightning.io.patterns.concatenate import masked
from spi_lightning.io.patterns.labels import as_label
from spi_lightning.io.patterns.open_patterns import GEOMETRY

from .python_words import in_python, require_words

PathLike = str | os.PathLike[str]
Patterns = PatternFile | ArrayLike | Tensor | PathLike
"""What functions of this room take as patterns: an open file, its path, or an array (N, y, x) or (y, x) of photons."""


DATA_WORDS: Final = (
    *("photons", "label", "positive", "mask", "index", "mask_convention", "adu_per_photon", "reader"),
    *GEOMETRY,
)
"""Arguments of open_patterns beside the path, which functions that take a path take too."""


@in_python
def open_patterns(
    path: PathLike | Sequence[PathLike],
    *,
    photons: str | None = None,
    label: str | None = None,
    positive: str | int | None = None,
    mask: str | None = None,
    index: str | int | Sequence[int] | None = None,
    mask_convention: str = "auto",
    adu_per_photon: float | None = None,
    reader: Callable[[Path], PatternFile | None] | None = None,
    **geometry: float,
) -> PatternFile:
    """Open a file of patterns; photons are read at first access.

    Args:
        path: File of any format in io.FORMATS, a glob such as ``"run*/*.h5"``, or a list of those.
        photons: Data set of the patterns, (N, y, x); None: found by name and shape.
        label: Data set or file of the labels, (N,): 1 for a single hit, 0 for any other, -1 for unknown.
        positive: Labels that mean a single hit, words or numbers joined by commas; None: 1 and the usual words.
        mask: Data set or file of the mask, (y, x) or (N, y, x).
        index: Numbers of the frames to use; None: all.
        mask_convention: ``auto``, ``cxi``, ``nexus``, ``euxfel``, ``good``, ``bad`` or ``dragonfly``.
        adu_per_photon: Detector units of one photon, ADU; None: the file holds photons.
        reader: Function of your own that opens files of a further format.
        geometry: ``distance`` and ``pixel_size`` in m, ``photon_energy`` in eV, instead of those of the file.

    Returns:
        The file. ``file.shape`` is (N, y, x), ``file.read([0, 1])`` gives photons (2, y, x) float32 and
        ``file.read_mask([0, 1])`` their masks; ``file.labels`` and ``file.geometry`` hold the rest.

    Raises:
        UserError: Anything wrong with the path, the keys, the mask, the labels, the geometry or the photons.

    Examples:
        >>> from spi_lightning import open_patterns
        >>> file = open_patterns("hits.cxi", index=[0, 1, 2])
        >>> file.shape
        (3, 32, 32)
        >>> file.read([0, 1]).dtype
        dtype('float32')
    """
    require_words("open_patterns", geometry, DATA_WORDS)
    keys = PatternKeys(photons, label, mask, None, index, positive, reader)
    return io.open_patterns(path, keys, mask_convention, adu_per_photon, geometry=geometry)


def as_patterns(
    patterns: Patterns,
    mask: ArrayLike | Tensor | None = None,
    labels: ArrayLike | Tensor | None = None,
    words: Mapping[str, Any] | None = None,
) -> PatternFile:
    """Patterns of any kind as a PatternFile.

    Args:
        patterns: Open file, path, or photons (N, y, x) or (y, x) of NumPy or torch.
        mask: Bool, (y, x) or (N, y, x), True where measured; None: the file's, or all pixels that are finite. Beside a
            path also the name of a data set or file.
        labels: (N,) 1 for a single hit, 0 for any other, -1 for unknown, or words such as ``single``; None: the file's.
        words: Arguments of open_patterns for a path, such as ``adu_per_photon``; ``positive`` also of ``labels``.

    Raises:
        UserError: Shapes that do not belong together, a file that cannot be opened, or words beside other patterns.
    """
    words = dict(words or {})
    positive = None if labels is None else words.pop("positive", None)
    if isinstance(patterns, str | os.PathLike):
        if isinstance(mask, str | os.PathLike):
            words["mask"], mask = os.fspath(mask), None
        patterns = open_patterns(patterns, **words)
    elif words:
        raise UserError(f"{next(iter(words))}: is for files; give a path, or give it to open_patterns")
    if not isinstance(patterns, PatternFile):
        patterns = _in_memory(patterns)
    if mask is not None:
        values = _array(mask, "mask")
        known = _mask(values, patterns.shape)
        _require_photons(patterns, values.astype(bool))
        patterns = masked(patterns, known)
        # of a large file not every mask is read for the key of its answers
        patterns = patterns.changed(opened_with={**patterns.opened_with, "mask_values": fingerprint(values)})
    if labels is not None:
        given = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
        found, notes = as_label(IS_SINGLE_HIT, given, len(patterns), "labels", positive)
        named = {**patterns.labels, IS_SINGLE_HIT: found}
        patterns = patterns.changed(labels=named, notes=[*patterns.notes, *notes])
    return patterns


def _in_memory(patterns: ArrayLike | Tensor) -> PatternFile:
    frames = _array(patterns, "patterns")
    frames = frames[None] if frames.ndim == 2 else frames
    if frames.ndim != 3 or 0 in frames.shape:
        raise UserError(f"patterns: shape {frames.shape}; give photons of N patterns, (N, y, x), or of one, (y, x)")
    if np.iscomplexobj(frames):
        raise UserError("patterns: complex numbers; give photons or intensities, the squared modulus of amplitudes")
    finite = np.isfinite(frames)
    shared = None if finite.all() else finite
    frames = frames if shared is None else np.where(finite, frames, 0)
    held = ArrayFrames(np.ascontiguousarray(frames))
    masks = None if shared is None else ArrayFrames(shared)
    return PatternFile(Path("array"), "array", held, None, masks)  # type: ignore[arg-type]


def _array(values: ArrayLike | Tensor, name: str) -> NDArray[Any]:
    found = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if found.dtype.kind not in "biufc":
        raise UserError(f"{name}: an array of {found.dtype}; give numbers")
    return found


def _mask(mask: NDArray[Any], shape: tuple[int, int, int]) -> Any:
    """One mask for all patterns (H, W) bool, or a source of one for each; UserError for an array that is none."""
    if mask.shape not in (shape, shape[1:]):
        raise UserError(f"mask: shape {mask.shape}; patterns of {shape} take a mask of {shape[1:]} or {shape}")
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise UserError("mask: values other than True and False; True is where the detector measured")
    measured = mask.astype(bool)
    if not measured.any():
        raise UserError("mask: no pixel is True; True is where the detector measured")
    return measured if mask.ndim == 2 else ArrayFrames(measured)


def _require_photons(patterns: PatternFile, measured: NDArray[np.bool_]) -> None:
    """UserError for a mask that leaves out most pixels and with them all photons, as one of the other sense does."""
    some = measured if measured.ndim == 2 else measured[sample_indices(len(patterns))]
    pixels, photons = excluded_shares(some, sample_frames(patterns))
    if pixels > 0.5 and photons > NOTHING_LEFT:
        raise UserError(
            f"mask: leaves out {pixels:.1%} of the pixels and {photons:.1%} of the photons; True is where the detector "
            "measured: give mask == 0 if it marks the bad pixels"
        )


def in_memory(batch: Mapping[str, Tensor], name: str) -> PatternFile:
    """Simulated patterns of a batch as a PatternFile.

    Args:
        batch: Names of fields.py: photons or intensity (N, y, x), mask (N, y, x) and labels (N, ...).
        name: Name of the simulation, for messages.
    """
    measured = PHOTONS if PHOTONS in batch else INTENSITY
    known = {key: values.cpu().numpy() for key, values in batch.items()}
    frames, mask = known.pop(measured), known.pop(MASK).astype(bool)
    density = known.pop(DENSITY, None)
    geometry: dict[str, Any] = {key: known.pop(key) for key in (*GEOMETRY, BEAM_CENTRE) if key in known}
    return PatternFile(
        Path(name),
        "simulated",
        cast(Any, ArrayFrames(frames)),
        None,
        cast(Any, ArrayFrames(mask)),
        labels={key: values for key, values in known.items() if key in FIELDS},
        images={} if density is None else {DENSITY: cast(Any, ArrayFrames(density))},
        geometry=geometry,
    )


@in_python
def simulate_patterns(
    recipe: str | Callable[..., Mapping[str, Tensor]] = "hits",
    patterns: int = 100,
    *,
    seed: int = 0,
    device: str = "auto",
    **settings: Any,
) -> PatternFile:
    """Simulate labelled patterns in memory; ``spi simulate`` writes larger sets to a file.

    Args:
        recipe: Name of a simulation in conf/simulate/, such as ``hits``, ``han`` or ``macromolecule``; or a simulator.
        patterns: Number N of patterns to draw.
        seed: Seed of the set; the patterns of a seed are always the same.
        device: Device of the computation: ``auto``, ``cpu``, ``cuda``, ...
        settings: Settings of the recipe by name, as on the command line, with ``__`` for a dot:
            ``brightness__median=5e4``.

    Returns:
        The patterns, (N, y, x) photons, with masks, labels, geometry and, of macromolecules, densities.

    Raises:
        UserError: An unknown recipe or setting, or a recipe of 3D particles.

    Examples:
        >>> from spi_lightning import simulate_patterns
        >>> patterns = simulate_patterns("hits", 6, seed=3, shape=[32, 32], geometry__photon_energy=[1200, 1200])
        >>> patterns.shape
        (6, 32, 32)
        >>> patterns.geometry["photon_energy"].mean()
        np.float32(1200.0)
    """
    from spi_lightning.distributed import find_device

    from .configured import make_part

    count, seed = whole_number("patterns", patterns, 1), whole_number("seed", seed, 0)
    simulator: Any = make_part("simulate", recipe, settings) if isinstance(recipe, str) else recipe
    if not hasattr(simulator, "shape") or len(simulator.shape) != 2:
        raise UserError(f"recipe={recipe}: it simulates 3D particles; spi simulate simulate={recipe} writes them")
    blocks = -(-count // simulator.block_size)
    drawn = [simulator(block, seed, find_device(device)) for block in range(blocks)]
    batch = {key: torch.cat([each[key].cpu() for each in drawn])[:count] for key in drawn[0]}
    return in_memory(batch, recipe if isinstance(recipe, str) else type(simulator).__name__)
