"""Photon count as a baseline that every network has to beat: bright frames are single hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from spi_lightning.data.read_ahead import read_ahead
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart


@dataclass(frozen=True)
class PhotonCount:
    """Rank frames by the photons they hold; no training and no labels.

    The score is the relative rank of the photon count, the share of the file's frames that are darker. It ranks; as a
    probability it means nothing, because the brighter half of any file is taken.

    Args:
        name: Name of the method in tables.
    """

    name: Irrelevant[str] = "photon_count"

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Score every frame by its photons inside the mask; equal counts share their mean rank."""
        photons = np.concatenate([piece.photons.sum((1, 2), dtype=np.float64) for piece in read_ahead(part.patterns)])
        score = ((rankdata(photons) - 0.5) / len(photons)).astype(np.float32)
        listener.note(Note.of("it only ranks frames by brightness: the brighter half of any file is taken"))
        return HitAnswer(score, score)
