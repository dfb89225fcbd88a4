"""A checkpoint whose frozen part is asked once for each pattern of a file."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from spi_lightning.data.feature_cache import cached_features
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.networks.logistic_head import LogisticHead
from spi_lightning.results.hit_answer import Answer, Given
from spi_lightning.tasks.frozen.transfer_classification import TransferClassification

from .checkpoint import CheckpointMethod, Ready


class CachedCheckpointMethod(CheckpointMethod):
    """Answers of one checkpoint; of a head on a frozen backbone the features are kept on disk, and shared by all heads.

    Any other checkpoint, and a head whose patterns are cropped, binned or mirrored first, is answered as by
    CheckpointMethod.

    Args:
        *arguments, **options: As for CheckpointMethod.
        cache_dir, feature_dtype: See data.feature_cache.
    """

    def __init__(
        self, *arguments: Any, cache_dir: str = "cache", feature_dtype: str = "float32", **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.cache_dir, self.feature_dtype = cache_dir, feature_dtype
        self._features: np.ndarray[Any, Any] | None = None

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Answer every frame of a file, in order; the time is that of the features and the head together."""
        start = time.perf_counter()
        network, preprocess = self.task.network, self.task.preprocess
        untouched = not preprocess.crop and preprocess.bin == 1 and self.task.views == "none"
        if untouched and isinstance(self.task, TransferClassification) and isinstance(network, LogisticHead):
            place = (self.cache_dir, self.feature_dtype, self.device)
            self._features = cached_features(patterns, network.backbone, None, *place)
        try:
            return replace(super().answer(patterns, given), seconds=time.perf_counter() - start)
        finally:
            self._features = None

    def _predict(self, batches: list[Ready], patterns: PatternFile) -> dict[str, np.ndarray[Any, Any]]:
        network = self.task.network
        if self._features is None or not isinstance(network, LogisticHead):
            return super()._predict(batches, patterns)
        parts = []
        for frame, pattern in batches:
            features = torch.from_numpy(self._features[frame.numpy()].astype(np.float32, copy=False))
            with network.knowing(features.to(self.device)):
                parts.append(super()._predict([(frame, pattern)], patterns))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
