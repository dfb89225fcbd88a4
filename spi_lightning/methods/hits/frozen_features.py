"""Logistic regression by scikit-learn on the features of a frozen network."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from spi_lightning.data.feature_cache import cached_features
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.networks.logistic_head import Backbone
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given


class FrozenFeatures:
    """Learns from a few labelled frames of the very file, whose patterns a trained network describes.

    Features are computed once and cached on disk. The regression minimises |w|^2 / 2 + C times the summed loss, the
    intercept free, to its minimum in double precision: that of PenalisedLBFGS.

    Args:
        name: Shown in tables.
        decision: From probability to decision.
        device: Where the backbone computes; ``auto``, ``cpu``, ``cuda``, ...
        backbone: Photons and mask -> features, one of tasks.frozen_backbone.
        C: Inverse strength of the penalty.
        cache_dir, feature_dtype: See data.feature_cache.

    Raises:
        UserError: No backbone, C is not positive, or an answer is wanted without labelled frames of both sorts.

    Source: Han & Li (2017), Sect. 5.2: scikit-learn, L2 penalty, strength 1.
    """

    needs_given = True

    def __init__(
        self,
        name: str = "frozen_features",
        decision: DecisionRule | None = None,
        device: str = "auto",
        backbone: Backbone | None = None,
        C: float = 1.0,  # noqa: N803  its name everywhere
        cache_dir: str | Path = "cache",
        feature_dtype: str = "float32",
    ) -> None:
        if backbone is None:
            raise UserError(f"{name} needs a backbone: use method=vgg16 or method=frozen_resnet10.")
        if not C > 0:
            raise UserError(f"{name}: C={C:g} must be positive.")
        # Nobody shall take numbers of random weights for those of ImageNet.
        self.name = f"{name} (random weights)" if "with random weights" in backbone.label else name
        self.decision, self.device = decision or DecisionRule(), find_device(device)
        self.backbone, self.C, self.cache_dir, self.feature_dtype = backbone, C, cache_dir, feature_dtype

    @property
    def identity(self) -> list[Any]:
        """What decides its answers besides patterns and labels, the backbone's weights included; plain data."""
        return [self.backbone.key, self.C, self.feature_dtype]

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Fit to the given frames, answer all; the penultimate values are those of the backbone."""
        if given is None:
            raise UserError(f"{self.name} learns from labelled frames of the file: name some with given.frames=[...].")
        given.require_both(self.name)
        start = time.perf_counter()
        features = np.asarray(
            cached_features(patterns, self.backbone, None, self.cache_dir, self.feature_dtype, self.device),
            dtype=np.float32,
        )
        head = LogisticRegression(C=self.C, tol=1e-8, max_iter=20_000)
        head.fit(features[given.frame].astype(np.float64), given.is_single_hit)
        logit = features @ head.coef_[0].astype(np.float32) + np.float32(head.intercept_[0])
        probability = (1 / (1 + np.exp(-logit.clip(-60, 60)))).astype(np.float32)
        decision, abstain = self.decision(probability)
        return Answer(
            name=self.name,
            frame=np.arange(len(patterns)),
            score=probability,
            probability=probability,
            decision=decision,
            abstain=abstain,
            seconds=time.perf_counter() - start,
            features=features,
        )
