"""View of one frame for the labelling page: its picture, its photons, the size of its particle."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from spi_lightning.data.frame_columns import measure_frames
from spi_lightning.fields import BEAM_CENTRE, DIAMETER_NM, IS_HIT
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.physics.array import bin_to, cut_window
from spi_lightning.reports.hits.gallery import LEAST, photon_norm
from spi_lightning.reports.style import PHOTON_COLOURS

from .teaching_order import chosen_frames

LARGEST_EDGE: Final = 800  # pixels of a picture; larger frames are binned
ZOOMS: Final = (1, 2, 4)
_COLOURS: Final = 9


def picture(patterns: PatternFile, frame: int, zoom: int = 1) -> tuple[bytes, dict[str, Any]]:
    """Picture of a frame on a logarithmic scale, masked pixels grey, and what is written beside it.

    Args:
        patterns: File of the frames.
        frame: Number of the frame.
        zoom: Only the part of height and width 1 / zoom around the beam centre, or around the middle.

    Returns:
        PNG; and ``photons`` in the measured pixels of the whole frame, ``most`` photons of a pixel of the picture, its
        ``binned`` pixels, edges ``height`` and ``width`` of a frame, pixel, and share ``measured`` of its pixels.
    """
    photons, mask = patterns.read([frame])[0], patterns.read_mask([frame])[0]
    shown, kept = (torch.from_numpy(np.array(image)) for image in (photons, mask))
    if zoom > 1:
        edges = [-(-length // zoom) for length in shown.shape]
        start = [round(at - edge / 2) for at, edge in zip(_centre(patterns, frame), edges, strict=True)]
        shown, kept = cut_window(shown, start, edges), cut_window(kept, start, edges)
    bin = -(-max(shown.shape) // LARGEST_EDGE)
    binned, measured = bin_to(shown[None], kept[None], bin)
    image, seen = binned[0].numpy(), measured[0].numpy()
    norm = photon_norm(image[None], seen[None])
    colours = PHOTON_COLOURS(norm(np.ma.masked_array(np.maximum(image, LEAST), ~seen)), bytes=True)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colours[..., :3])).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue(), {
        "photons": float(photons.sum(dtype=np.float64)),
        "most": float(norm.vmax or 0),
        "binned": bin,
        "height": photons.shape[0],
        "width": photons.shape[1],
        "measured": float(mask.mean()),
    }


def size(patterns: PatternFile, frame: int) -> dict[str, Any]:
    """Size of a frame's particle by the sphere fit in words, and whether the frame holds a hit, ``is_hit``."""
    columns = measure_frames(chosen_frames(patterns, [frame]))
    if DIAMETER_NM not in columns:
        text = "unknown, the file states no geometry"
    else:
        diameter = float(columns[DIAMETER_NM][0])
        text = "no fit of a sphere" if np.isnan(diameter) else f"{diameter:.3g} nm"
    return {"size": text, IS_HIT: bool(columns[IS_HIT][0])}


def scale_colours() -> list[str]:
    """Colours in hex of the scale of photons at even steps of their logarithm, from none to the most."""
    steps: NDArray[Any] = PHOTON_COLOURS(np.linspace(0, 1, _COLOURS), bytes=True)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue, _ in steps.tolist()]


def _centre(patterns: PatternFile, frame: int) -> NDArray[np.float64]:
    """Row and column of the beam, pixel; the middle of the frame where the file does not say."""
    middle = (np.array(patterns.shape[1:]) - 1) / 2
    stated = np.asarray(patterns.geometry.get(BEAM_CENTRE, middle), dtype=np.float64)
    centre: NDArray[np.float64] = stated[frame] if stated.ndim == 2 else stated
    return centre if np.isfinite(centre).all() else middle
