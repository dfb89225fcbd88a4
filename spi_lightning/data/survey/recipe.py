"""Recipe of a simulation like a file: settings of simulate=LikeFileSimulator as YAML, each with where it comes from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.fields import DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.files import atomic_write, write_text
from spi_lightning.notes import Note
from spi_lightning.simulate.canonical.file_parts import RING
from spi_lightning.simulate.canonical.like_file import ASSUMED_DIAMETER, ASSUMED_ENERGY, ASSUMED_PIXEL
from spi_lightning.simulate.projection import BODIES

from .survey import Survey

MASK_FILE: Final = "tuned_mask.npy"
PROPOSED: Final = "proposed_mask.npy"
_QUANTILES: Final = (0.01, 0.25, 0.5, 0.75, 0.99)
_FEW: Final = 50  # hits, of which the extremes are not known
_WIDER: Final = 1.5  # factor at the extremes of few hits
_FIT_SPREAD: Final = 0.06  # of the widths of equal particles: their shape and orientation, and noise
_LEAST_SPREAD: Final = 0.03
_MOST_SPREAD: Final = 0.25
_HALO_RATIO: Final = (1e-3, 0.5)
Line = tuple[str, Any, str]


def write_recipe(survey: Survey, path: Path, bodies: Sequence[str] | None = None) -> Path:
    """Write a recipe and, beside it, the mask of the detector that it names.

    Args:
        survey: What the file is like.
        path: YAML file to write.
        bodies: Bodies of the particles; None: all of the general simulation.

    Raises:
        UserError: A body is unknown, or a file cannot be written.
    """
    mask = None
    if not survey.measured.all():
        mask = path.resolve().with_name(MASK_FILE if path.stem == "tuned" else f"{path.stem}_mask.npy")
        write_mask(mask, survey.measured)
    write_text(path, recipe_text(survey, mask, bodies))
    return path


def write_mask(path: Path, measured: NDArray[np.bool_]) -> None:
    """Write a mask (H, W), True = measured, as an array of NumPy."""
    with atomic_write(path) as part, part.open("wb") as file:
        np.save(file, measured)


def propose_mask(survey: Survey, path: Path) -> list[Note]:
    """Write the mask without pixels that look bad, which nothing uses unasked, and a note on them; none: no file."""
    if survey.bad.count == 0:
        return []
    bad = (survey.bad.hot | survey.bad.dead).numpy()
    write_mask(path, survey.measured & ~bad)
    found = f"{int(survey.bad.hot.sum())} pixels look hot and {int(survey.bad.dead.sum())} dead"
    remedy = f"data.keys.mask={path} data.mask_convention=good leaves them out"
    return [Note.warning(f"{found}, which the mask has as measured; {remedy}", "mask")]


def recipe_text(survey: Survey, mask: Path | None, bodies: Sequence[str] | None = None) -> str:
    """YAML of a recipe: one setting a line, behind it what it is and where it comes from."""
    if unknown := sorted(set(bodies or ()) - set(BODIES)):
        raise UserError(f"bodies: unknown body {unknown[0]}; choose from {', '.join(BODIES)}")
    hits = f"{survey.hits} hits of {survey.frames} frames"
    head = [
        f"# Patterns like those of {survey.path}, from {hits}.",
        "# Behind every value stands where it comes from. Change what you know better: simulate=THIS_FILE takes it.",
        "defaults: [/simulate/general@_here_, _self_]  # all that is not named here",
        "_target_: spi_lightning.simulate.LikeFileSimulator",
    ]
    lines = [*_detector_lines(survey, mask), *_light_lines(survey, hits), *_particle_lines(survey, bodies)]
    return "\n".join([*head, *map(_written, lines)]) + "\n"


def _written(line: Line) -> str:
    key, value, comment = line
    indent = "  " * key.count(".")
    text = "" if value is ... else f" {value if isinstance(value, str) else json.dumps(value)}"
    return f"{indent}{key.rpartition('.')[2]}:{text}" + (f"  # {comment}" if comment else "")


def _detector_lines(survey: Survey, mask: Path | None) -> list[Line]:
    """Frame, mask, beam, speckle and geometry."""
    scale, stated = survey.scale, survey.geometry
    share = 100 * survey.measured.mean()
    spread = "" if scale.centre_spread is None else f", +- {scale.centre_spread:.2g} over hits"
    beam = {
        "stated": "stated",
        "symmetry": f"measured: symmetry of {scale.hits} hits{spread}",
        "middle": "assumed: the middle of the frames",
    }[scale.centre_from]
    width = {
        "stated": "stated",
        "sphere fit": f"measured: spheres fitted to {scale.hits} hits, +- {100 * (scale.width_spread or 0):.0f} %",
        "network": f"measured: where a network tells {scale.hits} hits apart best",
        "unknown": "assumed: no hit shows rings",
    }[scale.width_from]
    missing = {
        PHOTON_ENERGY: f"eV; not stated: {ASSUMED_ENERGY:g} on the detector, drawn in the canonical frame",
        DISTANCE: f"m; not stated: on the detector such that the particle has {1e9 * ASSUMED_DIAMETER:g} nm",
        PIXEL_SIZE: f"m; not stated: {ASSUMED_PIXEL:g} on the detector",
    }
    geometry = [
        (
            name,
            None if name not in stated else float(f"{stated[name]:.6g}"),
            f"{unit}; stated" if name in stated else missing[name],
        )
        for name, unit in ((PHOTON_ENERGY, "eV"), (DISTANCE, "m"), (PIXEL_SIZE, "m"))
    ]
    return [
        (
            "frame",
            "canonical",
            "64 x 64 cells, 6 to a speckle, as networks of any detector see it; detector: whole frames",
        ),
        ("size", list(survey.shape), "pixel; stated: rows and columns of the frames"),
        (
            "mask",
            None if mask is None else json.dumps(str(mask)),
            f"stated: {share:.1f} % of the pixels are measured in all frames",
        ),
        ("centre", [round(at, 2) for at in scale.beam_centre], f"pixel, row and column of the beam; {beam}"),
        ("speckle", float(f"{scale.speckle_width:.4g}"), f"pixel, width of a speckle of the usual particle; {width}"),
        ("speckle_error", 0.05, "of its logarithm; assumed: shapes that are no spheres"),
        ("beam_error", 0.25, "cells; assumed"),
        *geometry,
    ]


def _light_lines(survey: Survey, hits: str) -> list[Line]:
    """Photons of hits, background and blank frames."""
    measured = f"measured in {survey.level_frames} blank frames" if survey.level_frames else "measured"
    level = (
        measured if survey.level_frames else "assumed: the darkest rings of the darkest hits, there are no blank frames"
    )
    spread = measured if survey.level_frames else "assumed"
    quantiles = np.quantile(survey.photons, _QUANTILES)
    if survey.hits < _FEW:
        quantiles[[0, -1]] *= (1 / _WIDER, _WIDER)
    photons = [float(f"{one:.3g}") for one in _rising(quantiles)]
    wider = f", the ends wider by {_WIDER:g} since hits are few" if survey.hits < _FEW else ""
    lines: list[Line] = [
        ("photons", photons, f"of a hit above background, quantiles 1, 25, 50, 75, 99 %; measured: {hits}{wider}"),
        (
            "level",
            [float(f"{one:.3g}") for one in survey.level],
            f"photons per pixel, background every {RING} speckles from the beam; {level}",
        ),
        ("level_spread", round(survey.level_spread, 3), f"of its logarithm over frames; {spread}"),
        (
            "blank_rate",
            round(survey.blank_rate, 4),
            f"share of frames without a hit, on the detector; measured: {survey.frames} frames",
        ),
        ("blanks", 0.06, "the same in the canonical frame; assumed: those that pass the hit finder"),
    ]
    halo = "photons of a halo that comes with hits, over those of the particle; assumed"
    return [*lines, ("background", ..., ""), ("background.ratio", list(_HALO_RATIO), halo)]


def _rising(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that rise, each at least 1 % above the one before."""
    out = np.maximum(values, 1.0)
    for place in range(1, len(out)):
        out[place] = max(out[place], 1.01 * out[place - 1])
    return out


def _particle_lines(survey: Survey, bodies: Sequence[str] | None) -> list[Line]:
    """Bodies and the spread of their sizes."""
    found = survey.scale.width_spread
    beyond = (max((found or 0) ** 2 - _FIT_SPREAD**2, 0.0)) ** 0.5
    spread = min(max(beyond, _LEAST_SPREAD), _MOST_SPREAD) * 3**0.5
    source = (
        "assumed"
        if found is None
        else f"measured: widths differ by {100 * found:.0f} %, {100 * _FIT_SPREAD:.0f} % of that by the fit"
    )
    shape = "assumed: all of the general simulation" if bodies is None else "stated"
    return [
        (
            "bodies",
            None if bodies is None else list(bodies),
            f"of the particles; {shape}; such as [icosahedron, sphere]",
        ),
        ("scene", ..., ""),
        ("scene.particle", ..., ""),
        (
            "scene.particle.diameter",
            [round(1 - spread, 3), round(1 + spread, 3)],
            f"over that of the usual particle; {source}",
        ),
    ]
