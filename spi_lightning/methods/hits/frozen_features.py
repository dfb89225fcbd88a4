"""Logistic regression by scikit-learn on the features of a frozen network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from sklearn.linear_model import LogisticRegression

from spi_lightning.data.feature_cache import cached_features
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.locations import CACHE
from spi_lightning.networks.logistic_head import Backbone
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart

from .frame_vectors import require_labels


@dataclass(frozen=True)
class FrozenFeatures:
    """Logistic regression on features of a trained network, fitted to a few labelled frames of the very file.

    Features are computed once and cached on disk. The regression minimises |w|^2 / 2 + C times the summed loss, the
    intercept free, to its minimum in double precision: that of PenalisedLBFGS.

    Args:
        name: Name in tables; of a backbone with random weights it says so.
        device: Name of the device of the backbone: ``auto``, ``cpu``, ``cuda``, ...
        backbone: Photons and mask -> features, one of tasks.frozen.
        C: Inverse strength of the penalty.
        cache_dir: Folder of the features, see data.feature_cache.
        feature_dtype: Dtype in which features are stored, ``float32`` or ``float16``.

    Raises:
        UserError: No backbone, C is not positive, a device that is not there, or an answer is wanted without labelled
            frames of both kinds.

    Source: Han & Li (2017), Sect. 5.2: scikit-learn, L2 penalty, strength 1.
    """

    needs_labels: ClassVar[bool] = True

    name: Irrelevant[str] = "frozen_features"
    device: Irrelevant[str] = "auto"
    backbone: Irrelevant[Backbone | None] = None
    C: float = 1.0
    cache_dir: Irrelevant[str | Path] = str(CACHE)
    feature_dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.backbone is None:
            raise UserError(f"{self.name} needs a backbone: use method=vgg16 or method=frozen_resnet10")
        if not self.C > 0:
            raise UserError(f"{self.name}: C={self.C:g} must be positive")
        find_device(self.device)
        if "with random weights" in self.backbone.label:  # which nobody shall take for those of ImageNet
            object.__setattr__(self, "name", f"{self.name} (random weights)")

    @property
    def content(self) -> str:
        """Hash of the weights and settings of the backbone."""
        assert self.backbone is not None
        return self.backbone.key

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Fit to the labelled frames, answer all; the features are those of the backbone."""
        assert self.backbone is not None
        labels, device = require_labels(part.labelled, self.name), find_device(self.device)
        labels.require_both(self.name)
        stored = cached_features(part.patterns, self.backbone, None, self.cache_dir, self.feature_dtype, device)
        features = np.asarray(stored, dtype=np.float32)
        head = LogisticRegression(C=self.C, tol=1e-8, max_iter=20_000)
        head.fit(features[labels.frame].astype(np.float64), labels.is_single_hit)
        logit = features @ head.coef_[0].astype(np.float32) + np.float32(head.intercept_[0])
        probability = (1 / (1 + np.exp(-logit.clip(-60, 60)))).astype(np.float32)
        return HitAnswer(probability, probability, features=features)
