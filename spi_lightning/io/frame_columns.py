"""What each frame says of itself, before any classification: photons, hit or miss, beam centre, size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from spi_lightning.fields import DISTANCE, FRAME, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.io.pattern_file import PatternFile
from spi_lightning.physics.beam_centre import find_beam_centre
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.hit_finding import find_hits
from spi_lightning.physics.sphere_fit import fit_sphere

_AT_ONCE: Final = 32
_SYMMETRIC: Final = 0.3  # a centre found on less symmetry than this is not used for size and background
GEOMETRY: Final = (DISTANCE, PIXEL_SIZE, PHOTON_ENERGY)


def frame_columns(
    file: PatternFile, indices: ArrayLike | None = None, advance: Callable[[int], None] = lambda _: None
) -> dict[str, NDArray[Any]]:
    """Analyse frames one by one.

    Args:
        file: The patterns.
        indices: (n,) frame numbers; default all.
        advance: Called with the number of frames done since the last call.

    Returns:
        Columns (n,): frame; photon_count, lit_pixels, background, photon_excess, lit_excess, is_hit as in
        physics.hit_finding.Hits; centre_row, centre_column (pixel) and symmetry as in physics.beam_centre.BeamCentre;
        and, where distance, pixel_size and photon_energy are known, diameter_nm, sphere_quality as in
        physics.sphere_fit.SphereFit.
    """
    index = file.check_indices(np.arange(len(file)) if indices is None else indices)
    parts: list[dict[str, NDArray[Any]]] = []
    for start in range(0, len(index), _AT_ONCE):
        part = index[start : start + _AT_ONCE]
        parts.append(_columns(file, part))
        advance(len(part))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _columns(file: PatternFile, index: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Columns of a few frames."""
    photons, mask = torch.from_numpy(file.read(index)), torch.from_numpy(np.array(file.read_mask(index)))
    found = find_beam_centre(photons, mask)
    middle = photons.new_tensor([(n - 1) / 2 for n in file.shape[1:]])
    centre = torch.where((found.symmetry > _SYMMETRIC)[:, None], found.centre, middle)
    hits = find_hits(photons, mask, beam_centre=centre)
    columns = {
        FRAME: index,
        "photon_count": hits.photon_count,
        "lit_pixels": hits.lit_pixels,
        "background": hits.background,
        "photon_excess": hits.photon_excess,
        "lit_excess": hits.lit_excess,
        "is_hit": hits.is_hit.long(),
        "centre_row": found.centre[:, 0],
        "centre_column": found.centre[:, 1],
        "symmetry": found.symmetry,
    }
    if all(name in file.geometry for name in GEOMETRY):
        diameter, quality = _sizes(file, index, photons, mask, centre)
        columns |= {"diameter_nm": diameter * 1e9, "sphere_quality": quality}
    return {name: np.asarray(column) for name, column in columns.items()}


def _sizes(
    file: PatternFile, index: NDArray[np.int64], photons: torch.Tensor, mask: torch.Tensor, centre: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Diameter (m) and quality of a few frames (n,), those of one geometry together."""
    known = np.stack([np.broadcast_to(file.geometry[name], len(file))[index] for name in GEOMETRY])
    diameter, quality = torch.zeros(len(index)), torch.zeros(len(index))
    for distance, pixel_size, energy in np.unique(known, axis=1).T:
        same = torch.from_numpy((known == np.array([[distance], [pixel_size], [energy]])).all(0))
        wavelength = wavelength_from_energy(float(energy))
        fit = fit_sphere(photons[same], mask[same], centre[same], float(distance), float(pixel_size), wavelength)
        diameter[same], quality[same] = fit.diameter, fit.quality
    return diameter, quality
