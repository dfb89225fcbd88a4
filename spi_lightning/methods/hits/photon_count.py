"""Photon count as a baseline that every network has to beat: bright frames are single hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spi_lightning.data.read_ahead import read_ahead
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart


@dataclass(frozen=True)
class PhotonCount:
    """Rank frames by the photons they hold; no training and no labels.

    The score is a logistic function of the logarithm of the photon count, centred on the median of the file and scaled
    by its interquartile range. It ranks; as a probability it means nothing, because half of any file is taken.

    Args:
        name: Name of the method in tables.
    """

    name: Irrelevant[str] = "photon_count"

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Score every frame by its photons inside the mask."""
        photons = np.concatenate([piece.photons.sum((1, 2), dtype=np.float64) for piece in read_ahead(part.patterns)])
        logarithm = np.log1p(photons)
        lower, median, upper = np.quantile(logarithm, [0.25, 0.5, 0.75])
        score = (1 / (1 + np.exp(-(logarithm - median) / max(upper - lower, 1e-6)))).astype(np.float32)
        return HitAnswer(score, score)
