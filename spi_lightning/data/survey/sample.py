"""Sample of hits in the canonical frame, and how far two samples differ in photons, sizes and fall-off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from torch import Tensor

from spi_lightning import fields
from spi_lightning.physics.frames.frame_scale import CELLS, SPECKLE_CELLS, speckle_widths
from spi_lightning.physics.frames.sphere_fit import radial_profile

from .survey import Survey

_CENTRE: Final = torch.tensor([(CELLS - 1) / 2, (CELLS - 1) / 2])


@dataclass(frozen=True)
class HitSample:
    """Hits in the canonical frame, measured or simulated, and what is compared of them.

    Attributes:
        cells: (n, 64, 64) photons of full cells.
        mask: (n, 64, 64) bool, True = measured.
        photons: (n,) photons in the measured cells.
        profile: (n, R) photons per cell at R distances from the beam, cells.
        size: (m,) diameters of fitted spheres over that of the usual particle, of the hits that show rings.
    """

    cells: Tensor
    mask: Tensor
    photons: NDArray[np.float64]
    profile: NDArray[np.float64]
    size: NDArray[np.float64]

    @classmethod
    def of(cls, cells: Tensor, mask: Tensor, background: float) -> HitSample:
        """Sample of hits (n, 64, 64) over a background, photons per cell."""
        width, quality = speckle_widths(cells, mask, _CENTRE, background)
        profile, pixels = radial_profile(cells * mask, mask, _CENTRE, CELLS // 2)
        known = (quality > 0) & width.isfinite()
        return cls(
            cells,
            mask,
            (cells * mask).sum((1, 2)).double().numpy(),
            torch.where(pixels > 0, profile, torch.nan).double().numpy(),
            (SPECKLE_CELLS / width[known]).double().numpy(),
        )


def samples(survey: Survey, simulated: dict[str, Tensor]) -> tuple[HitSample, HitSample]:
    """Measured and simulated hits; blank frames of the simulation are left out.

    Args:
        survey: What the file is like.
        simulated: Block of a simulator of the canonical frame.
    """
    hit = simulated[fields.PHOTON_COUNT] > 0
    background = survey.level[-1] * survey.scale.cell**2
    cells, mask = simulated[fields.PHOTONS][hit].cpu(), simulated[fields.MASK][hit].cpu()
    return HitSample.of(survey.cells, survey.cells_mask, background), HitSample.of(cells, mask, background)


def compared(measured: HitSample, simulated: HitSample) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """What is compared of two samples: its name, and its values in both."""
    return [
        ("photons", measured.photons, simulated.photons),
        ("sizes", measured.size, simulated.size),
        ("the fall-off from the beam", fall_off(measured), fall_off(simulated)),
    ]


def fall_off(sample: HitSample) -> NDArray[np.float64]:
    """Photons per cell between one and two speckles from the beam over those between two and four, of each hit."""
    step = int(SPECKLE_CELLS)
    inner, outer = (_mean(sample.profile[:, a:b]) for a, b in ((step, 2 * step), (2 * step, 4 * step)))
    ratio = (inner + 1e-3) / (outer + 1e-3)
    return ratio[np.isfinite(ratio)]


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row without what is NaN; NaN for a row without numbers."""
    known = np.isfinite(values)
    mean: NDArray[np.float64] = np.where(known, values, 0.0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
    return mean


def distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Kolmogorov-Smirnov distance, 0 to 1; 0 where either has no value."""
    return float(ks_2samp(one, other).statistic) if len(one) and len(other) else 0.0
