"""Traits in which a file differs from what a network for patterns of any size was trained on, in words."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import FRAME_PHOTONS, SYMMETRY
from spi_lightning.results.hits import Columns, DecidedAnswer

SPECKLE: Final = (3.0, 40.0)  # pixels, of the training (simulate=general)
PHOTONS: Final = (50.0, 1e6)  # of a hit
_SPREAD: Final = 0.2  # relative, of the speckle width over hits
_SYMMETRY: Final = 0.3  # least median over hits


def differences(answer: DecidedAnswer, columns: Columns, judged: NDArray[np.bool_]) -> list[str]:
    """What differs from the training of a network that takes patterns of any size; empty for other networks.

    Args:
        answer: With the scale of the file.
        columns: Measured per frame; photons and symmetry are compared where they are there.
        judged: (N,) bool, frames that are compared.
    """
    scale, found = answer.scale, []
    if scale is None:
        return []
    width, spread = scale.speckle_width, scale.width_spread or 0.0
    if scale.width_from == "unknown":
        found.append("no speckle width was found")
    elif not SPECKLE[0] <= width <= SPECKLE[1]:
        found.append(f"speckles of {width:.3g} pixels instead of {SPECKLE[0]:g} to {SPECKLE[1]:g}")
    if spread > _SPREAD:
        found.append(f"speckle widths that vary by {100 * spread:.0f} %")
    if FRAME_PHOTONS in columns:
        photons = float(np.median(np.asarray(columns[FRAME_PHOTONS])[judged]))
        if not PHOTONS[0] <= photons <= PHOTONS[1]:
            found.append(f"{photons:.3g} photons in a usual frame instead of {PHOTONS[0]:g} to {PHOTONS[1]:g}")
    if SYMMETRY in columns:
        symmetry = np.asarray(columns[SYMMETRY], dtype=np.float64)[judged]
        known = symmetry[np.isfinite(symmetry)]
        if len(known) and np.median(known) < _SYMMETRY:
            found.append(f"frames hardly symmetric about the beam (correlation {np.median(known):.2f})")
    return found or ["shapes, mask or background, as speckle width, photons and symmetry are those of the training"]
