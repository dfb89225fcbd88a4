"""Masks of the detectors of the experiments, real ones from ``masks/`` of the data folder where they are there.

Every function gives (H, W) bool, True where measured, and the beam (row, column) if the detector's geometry says it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.locations import structures_folder

Mask = NDArray[np.bool_]
Placed = tuple[Mask, tuple[float, float] | None]

_AGIPD: Final = (16, 512, 128)  # modules, slow-scan and fast-scan pixels of one
_NUMBER: Final = r"([+-]?[\d.]+)"


def masks_folder() -> Path:
    """Folder of the real masks: ``masks/`` beside the structures of the data folder ($SPI_DATA)."""
    return structures_folder().parent / "masks"


def mask_of(name: str) -> tuple[Mask, tuple[float, float] | None, str]:
    """Mask of a detector by name, the beam if its geometry says it, and the reason if a real mask is replaced."""
    try:
        mask, beam = _DETECTORS[name]()
        return mask, beam, ""
    except FileNotFoundError as error:
        mask, beam = _DRAWN[name]()
        return mask, beam, f"{error.filename or error} is absent: a drawn mask stands for that of {name}"


def _whole(rows: int, columns: int) -> Mask:
    return np.ones((rows, columns), dtype=bool)


def _dead(mask: Mask, share: float, seed: int) -> Mask:
    """Mask without some single pixels."""
    mask &= np.random.default_rng(seed).random(mask.shape) >= share
    return mask


def pnccd() -> Placed:
    """Two halves of a pnCCD, 1024 x 1024 pixels with 22 rows between, a round hole and a dead column."""
    mask = _whole(1024, 1024)
    mask[487:509] = False
    row, column = np.indices(mask.shape)
    mask &= np.hypot(row - 498, column - 530) > 22
    mask[:487, 771] = False
    return _dead(mask, 5e-4, 1), None


def jungfrau() -> Placed:
    """Two Jungfrau modules, 512 x 1024 pixels each, 36 rows apart; double-sized pixels between chips are left out."""
    mask = _whole(1060, 1024)
    mask[512:548] = False
    for edge in (256, 512, 768):
        mask[:, edge - 1 : edge + 1] = False
    for edge in (256, 804):
        mask[edge - 1 : edge + 1] = False
    return _dead(mask, 1e-3, 2), None


def epix() -> Placed:
    """ePix10k of 352 x 384 pixels: a cross of wide pixels, a rim, and a beamstop on its wire."""
    mask = _whole(352, 384)
    mask[175:177] = mask[:, 191:193] = False
    mask[:2] = mask[-2:] = mask[:, :2] = mask[:, -2:] = False
    row, column = np.indices(mask.shape)
    mask &= np.hypot(row - 131, column - 249) > 5
    mask[:131, 248:251] = False
    return _dead(mask, 5e-4, 3), None


def whole_64x48() -> Placed:
    """64 rows of 48 pixels, all good."""
    return _whole(64, 48), None


def large() -> Placed:
    """2048 x 2048 pixels of four panels with a windmill of gaps around the middle, 10 pixels wide."""
    mask = _whole(2048, 2048)
    mask[:1030, 1010:1020] = mask[1018:, 1028:1038] = False
    mask[1018:1028, :1020] = mask[1028:1038, 1010:] = False
    return _dead(mask, 2e-4, 4), None


def maxipix() -> Placed:
    """The Maxipix of ESRF's ID01, 516 x 516 pixels; 1 is bad in the source."""
    return _array("id01_maxipix") == 0, None


def eiger() -> Placed:
    """Eiger 500k of 514 x 1030 pixels: two lines of chip borders each way, and 0.1 % of dead pixels."""
    mask = _whole(514, 1030)
    mask[256:258] = False
    for edge in (256, 514, 772):
        mask[:, edge : edge + 2] = False
    row, column = np.indices(mask.shape)
    mask &= np.hypot(row - 243, column - 540) > 5
    return _dead(mask, 1e-3, 5), None


def half_circle() -> Placed:
    """256 x 256 pixels with a hole that the beam leaves through, and a corner that an aperture covers."""
    mask = _whole(256, 256)
    row, column = np.indices(mask.shape)
    mask &= np.hypot(row - 131, column - 122) > 5
    mask &= row + column > 60
    mask[128:132, :] = False
    return mask, None


def agipd() -> Placed:
    """An AGIPD 1M in the refined geometry of EuXFEL 3046, its bad pixels of run 195 left out; nearest pixels."""
    bad = _array("agipd_bad_pixels_r0195").transpose(0, 2, 1) != 0
    text = (masks_folder() / "agipd_p3046.geom").read_text()
    fields = {
        f"{panel}/{key}": [float(number) for number in re.findall(_NUMBER, value)]
        for panel, key, value in re.findall(r"^(p\d+a\d+)/(fs|ss|corner_x|corner_y) = (.*)$", text, re.MULTILINE)
    }
    slow, fast = np.indices((64, 128))
    places = []
    for module in range(_AGIPD[0]):
        for chip in range(8):
            (fx, fy), (sx, sy) = fields[f"p{module}a{chip}/fs"], fields[f"p{module}a{chip}/ss"]
            x = fields[f"p{module}a{chip}/corner_x"][0] + fx * (fast + 0.5) + sx * (slow + 0.5)
            y = fields[f"p{module}a{chip}/corner_y"][0] + fy * (fast + 0.5) + sy * (slow + 0.5)
            places.append((x, y, bad[module, 64 * chip : 64 * chip + 64]))
    x, y, broken = (np.concatenate([np.ravel(place[i]) for place in places]) for i in range(3))
    return _assembled(x, y, ~broken)


def cspad() -> Placed:
    """A CSPAD 140k, two sensors of 185 x 388 pixels, by the coordinates of its pixels."""
    return _assembled(_array("cspad140k_x").ravel(), _array("cspad140k_y").ravel(), True)


def dragonfly() -> Placed:
    """150 x 150 pixels, of which Dragonfly leaves out a stop around the beam and the corners."""
    row, column = np.indices((150, 150))
    radius = np.hypot(row - 74.5, column - 74.5)
    return (radius > 5) & (radius < 75), (74.5, 74.5)


def _assembled(x: NDArray[np.float64], y: NDArray[np.float64], good: NDArray[np.bool_] | bool) -> Placed:
    """Mask of pixels at x, y, in pixels from the beam, each put to the nearest point of a grid."""
    row, column = -np.floor(y).astype(int), np.floor(x).astype(int)
    mask = np.zeros((int(np.ptp(row)) + 1, int(np.ptp(column)) + 1), dtype=bool)
    mask[row - row.min(), column - column.min()] = good
    return mask, (-float(row.min()) - 0.5, -float(column.min()) - 0.5)


def _array(name: str) -> NDArray[np.float64]:
    with np.load(masks_folder() / "detector_masks_dev.npz") as arrays:
        return np.asarray(arrays[name], dtype=np.float64)


def _tiles(rows: int, columns: int, tile: tuple[int, int], gap: int) -> Placed:
    """Drawn stand-in of a detector of tiles: gaps of equal width between them, beam in the middle."""
    mask = _whole(rows, columns)
    for edge in range(tile[0], rows, tile[0] + gap):
        mask[edge : edge + gap] = False
    for edge in range(tile[1], columns, tile[1] + gap):
        mask[:, edge : edge + gap] = False
    return _dead(mask, 1e-2, 6), ((rows - 1) / 2, (columns - 1) / 2)


_DETECTORS: Final[dict[str, Callable[[], Placed]]] = {
    function.__name__: function
    for function in (pnccd, agipd, jungfrau, epix, whole_64x48, large, maxipix, cspad, eiger, half_circle, dragonfly)
}
_DRAWN: Final[dict[str, Callable[[], Placed]]] = {
    "agipd": lambda: _tiles(1100, 1100, (128, 512), 30),
    "maxipix": lambda: (_tiles(516, 516, (256, 256), 4)[0], None),
    "cspad": lambda: _tiles(394, 388, (185, 194), 12),
}
