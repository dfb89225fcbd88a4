"""Part and answer of support finding: patterns of a file, and their supports, with densities if a method has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.summary import Summarised

from .layout import Layout


@dataclass(frozen=True, repr=False)
class SupportPart(Summarised):
    """Patterns whose supports a method finds.

    Attributes:
        content: Hash of frames, masks and geometry of the file, see io.patterns.content_key.
        frame: (N,) int64, indices of the patterns in their file, in the order of the answer.
        patterns: The file, without labels and without true densities.
    """

    content: str
    frame: NDArray[np.int64]
    patterns: Irrelevant[PatternFile]


@dataclass(frozen=True, repr=False)
class SupportAnswer(Summarised):
    """Supports of N patterns; origin at n // 2, at any whole shift and in either twin.

    Attributes:
        support: (N, H, W) bool.
        density: (N, H, W) float32, density or score of each pixel, at most 1; None for methods without one.
    """

    layout: ClassVar[Layout] = {"support": "bool N H W", "density": "finite real N H W or None"}

    support: NDArray[np.bool_]
    density: NDArray[np.float32] | None = None
