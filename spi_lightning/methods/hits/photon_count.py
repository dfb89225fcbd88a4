"""The baseline every network has to beat: bright frames are single hits."""

import time

import numpy as np
from numpy.typing import NDArray

from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given

from .reading import read_ahead


class PhotonCount:
    """Rank frames by the photons they hold; no training and no labels.

    The score is a logistic function of the logarithm of the photon count, centred on the median of the file and scaled
    by its interquartile range. It ranks; as a probability it means nothing, because half of any file is taken.
    """

    needs_given = False

    def __init__(self, name: str = "photon_count", decision: DecisionRule | None = None) -> None:
        self.name, self.decision = name, decision or DecisionRule()

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Score every frame by its photons inside the mask."""
        start = time.perf_counter()
        probability = photon_score(patterns)
        decision, abstain = self.decision(probability)
        seconds = time.perf_counter() - start
        return Answer(self.name, np.arange(len(patterns)), probability, probability, decision, abstain, seconds)


def photon_score(patterns: PatternFile) -> NDArray[np.float32]:
    """Logistic function of the logarithm of photons inside the mask, (N,), by its median and interquartile range."""
    photons = np.concatenate([p.photons.sum(axis=(1, 2), dtype=np.float64) for p in read_ahead(patterns)])
    logarithm = np.log1p(photons)
    lower, median, upper = np.quantile(logarithm, [0.25, 0.5, 0.75])
    score: NDArray[np.float64] = 1 / (1 + np.exp(-(logarithm - median) / max(upper - lower, 1e-6)))
    return score.astype(np.float32)
