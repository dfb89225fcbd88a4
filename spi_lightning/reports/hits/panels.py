"""Panels of patterns on a page: each a small image with its own caption, so that a narrow page has fewer in a row."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize, to_hex
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray
from PIL import Image

from spi_lightning.reports.page import Panel, Panels, Scale
from spi_lightning.reports.style import CENTRE, MASKED, png_uri
from spi_lightning.results.hit_pictures import Gallery, Occlusion

from .gallery import LEAST, Caption, photon_norm

_SHADES = 254  # of a colour map in a palette of 256; then masked pixels and the beam centre
_MASKED, _CENTRE = 254, 255
_STOPS = 9  # colours of a scale
_LABELS = 4  # powers of ten on a scale


def gallery_panels(
    gallery: Gallery, frames: Sequence[int], captions: Sequence[Caption], title: str, words: str = ""
) -> Panels:
    """Panels of stored frames on one logarithmic scale, masked pixels in grey, the beam centre as a green cross.

    Args:
        gallery: Patterns of the page.
        frames: Numbers of the frames, all of them stored in the gallery.
        captions: Caption of each frame, with the colour of its border.
        title: Title above the panels.
        words: Caption below the panels; empty for none.
    """
    photons, mask, centres = gallery.of(frames)
    norm = photon_norm(photons, mask)
    panels = [
        Panel([_image(_photon_shade(image, there, norm), centre)], caption.text, caption.colour)
        for image, there, centre, caption in zip(photons, mask, centres, captions, strict=True)
    ]
    return Panels(title, panels, [_photon_scale(norm, gallery.unit)], words)


def occlusion_panels(maps: Occlusion, title: str, words: str) -> Panels:
    """Panels of patterns, and below each its occlusion map: log odds lost where a part is covered."""
    limit = float(np.quantile(np.abs(maps.change), 0.998)) or 1.0
    norm = photon_norm(maps.photons, maps.mask)
    panels = []
    for frame, photons, mask, change in zip(maps.frame, maps.photons, maps.mask, maps.change, strict=True):
        below = np.where(mask, np.clip((change / limit + 1) / 2, 0, 1), np.nan)
        panels.append(Panel([_image(_photon_shade(photons, mask, norm)), _image(below, colours="PuOr_r")], f"#{frame}"))
    ticks = [(0.0, f"{-limit:.2g}"), (0.5, "0"), (1.0, f"{limit:.2g}")]
    change_scale = Scale(_stops("PuOr_r"), ticks, "decrease of log odds")
    return Panels(title, panels, [_photon_scale(norm, "photons per pixel"), change_scale], words)


def _photon_shade(photons: NDArray[np.float32], mask: NDArray[np.bool_], norm: Normalize) -> NDArray[np.float64]:
    """(H, W) photons -> 0 to 1 on a logarithmic scale; NaN where not measured."""
    return np.where(mask, np.asarray(norm(np.maximum(photons, LEAST)), dtype=np.float64), np.nan)


def _photon_scale(norm: Normalize, label: str) -> Scale:
    """Scale of photons with a few powers of ten, and 2 and 5 between them where there are fewer than two."""
    low, high = float(norm.vmin or LEAST), float(norm.vmax or 1.0)
    steps = (1.0,) if high >= 100 else (1.0, 2.0, 5.0)
    values = [value for value in LogLocator(subs=steps, numticks=99).tick_values(low, high) if low <= value <= high]
    values = values[:: -(-len(values) // _LABELS)]
    return Scale(_stops("inferno"), [(float(norm(value)), f"{value:,.0f}") for value in values], label)


def _stops(colours: str) -> list[str]:
    return [to_hex(colour) for colour in mpl.colormaps[colours](np.linspace(0, 1, _STOPS))]


def _image(shade: NDArray[np.float64], centre: NDArray[np.float32] | None = None, colours: str = "inferno") -> str:
    """Data URI of a PNG with a palette.

    Args:
        shade: (H, W) 0 to 1 on the colour map; NaN: not measured.
        centre: (2,) row, column of the beam centre, pixel; None or NaN: not drawn.
        colours: Name of the colour map.
    """
    index = np.where(np.isnan(shade), _MASKED, np.rint(np.nan_to_num(shade) * (_SHADES - 1))).astype(np.uint8)
    if centre is not None and np.isfinite(centre).all():
        _draw_cross(index, round(float(centre[0])), round(float(centre[1])))
    shades = mpl.colormaps[colours](np.linspace(0, 1, _SHADES), bytes=True)[:, :3]
    marks = [bytes.fromhex(colour.lstrip("#")) for colour in (MASKED, CENTRE)]
    image = Image.fromarray(index, "P")
    image.putpalette(shades.tobytes() + b"".join(marks))
    return png_uri(image)


def _draw_cross(index: NDArray[np.uint8], row: int, column: int) -> None:
    """Draw a cross of a tenth of the image's width; parts outside of it are cut."""
    arm = max(1, index.shape[1] // 20)
    rows, columns = (slice(max(0, middle - arm), max(0, middle + arm + 1)) for middle in (row, column))
    if 0 <= column < index.shape[1]:
        index[rows, column] = _CENTRE
    if 0 <= row < index.shape[0]:
        index[row, columns] = _CENTRE
