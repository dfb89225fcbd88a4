"""Checkpoint of a hit classification as a method: load the task, read ahead, predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.feature_cache import cached_features
from spi_lightning.data.read_ahead import Piece, prepare_ahead
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    CLASS_PROBABILITY,
    DISTANCE_FROM_TRAINING,
    FEATURES,
    FRAME,
    MASK,
    PHOTONS,
    PROBABILITY,
    SCORE,
    Batch,
)
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.resized import require_size, size_refused
from spi_lightning.networks.logistic_head import LogisticHead
from spi_lightning.networks.tiny_cnn import TinyCNN
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart
from spi_lightning.tasks import HitClassification, find_checkpoint, load_task
from spi_lightning.tasks.frozen.transfer_classification import TransferClassification

Ready = tuple[Tensor, Tensor]  # frame (B,) and preprocessed patterns (B, C, h, w)
MOST_FEATURES = 64
_COLUMNS = (SCORE, PROBABILITY, FEATURES, CLASS_PROBABILITY, DISTANCE_FROM_TRAINING)


@dataclass(frozen=True)
class CheckpointMethod:
    """Answers of one checkpoint of a hit classification.

    The task is rebuilt from the checkpoint alone and kept on the device between answers. Of a head on a frozen backbone
    the features can be kept on disk, where all heads share them; not where patterns are cropped, binned or mirrored.

    Args:
        name: Name of the method in tables.
        checkpoint: Run folder (its best checkpoint is taken) or .ckpt file.
        instantiate: Maker of objects from configs with ``_target_``: hydra.utils.instantiate.
        batch_size: Patterns per pass through the network.
        device: Name of the device: ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...
        crop, bin: Instead of those of its preprocessing, for patterns of another size or pixel; None: its own.
        views: Instead of those of its task, see HitClassification; None: its own.
        cache_dir: Folder of features of frozen backbones, see data.feature_cache; None keeps none.
        feature_dtype: Dtype in which they are stored, ``float32`` or ``float16``.

    Raises:
        UserError: No such run or checkpoint, one of another task, or a device that is not there.
    """

    name: Irrelevant[str]
    checkpoint: Path
    instantiate: Callable[..., Any]
    batch_size: Irrelevant[int] = 64
    device: Irrelevant[str] = "auto"
    crop: int | None = None
    bin: int | None = None
    views: str | None = None
    cache_dir: Irrelevant[str | None] = None
    feature_dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch_size={self.batch_size} must be 1 or more")
        object.__setattr__(self, "checkpoint", find_checkpoint(self.checkpoint))
        object.__setattr__(self, "device", str(find_device(self.device)))
        _ = self.task  # which is refused before a file is read

    @cached_property
    def _loaded(self) -> tuple[HitClassification, Mapping[str, Any]]:
        found, config = load_task(self.checkpoint, self.instantiate, HitClassification)
        found.to(self.device)
        found.views = self.views or found.views
        preprocess = found.preprocess
        preprocess.crop, preprocess.bin = self.crop or preprocess.crop, self.bin or preprocess.bin
        return found, config

    @property
    def task(self) -> HitClassification:
        """Task of the checkpoint, on the device."""
        return self._loaded[0]

    @property
    def config(self) -> Mapping[str, Any]:
        """Configuration of the run that left the checkpoint."""
        return self._loaded[1]

    def require_size(self, patterns: PatternFile) -> None:
        """Refuse a file whose patterns do not become of the size that the network takes, or that its bin divides."""
        preprocess, network = self.task.preprocess, self.task.network
        size = network.size if isinstance(network, TinyCNN) else None
        if size is None and preprocess.mean.numel() > 1 and preprocess.mean.shape[-1] == preprocess.mean.shape[-2]:
            size = preprocess.mean.shape[-1]  # of the mean image that is subtracted
        require_size(patterns, self.checkpoint, size, preprocess.crop, preprocess.bin)

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Answer every frame of a file, in order; the network computes while a thread reads and preprocesses on.

        Raises:
            UserError: The network cannot take patterns of this shape, or a frame cannot be read.
        """
        patterns = part.patterns
        self.require_size(patterns)
        stored = self._stored_features(patterns)
        with torch.inference_mode():
            ready = prepare_ahead(patterns, self._prepare, title=self.name)
            pieces = [self._predict(batches, patterns, stored) for batches in ready]
        columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        domain = self.task.domain
        return HitAnswer(
            score=columns[SCORE],
            probability=columns[PROBABILITY],
            features=_narrow(columns.get(FEATURES)),
            class_probability=columns.get(CLASS_PROBABILITY),
            distance_from_training=columns.get(DISTANCE_FROM_TRAINING),
            usual_distance=domain.beyond_most() if domain.known else None,
        )

    def _stored_features(self, patterns: PatternFile) -> NDArray[Any] | None:
        """Features (N, d) of a frozen backbone, from the disk where they are known; None of other networks."""
        task, network = self.task, self.task.network
        untouched = not task.preprocess.crop and task.preprocess.bin == 1 and task.views == "none"
        frozen = isinstance(task, TransferClassification) and isinstance(network, LogisticHead)
        if self.cache_dir is None or not untouched or not frozen:
            return None
        backbone = cast(LogisticHead, network).backbone
        return cached_features(patterns, backbone, None, self.cache_dir, self.feature_dtype, self.device)

    @torch.inference_mode()
    def _prepare(self, piece: Piece) -> list[Ready]:
        """Preprocess a piece of the file in batches; this runs beside the network, in the thread that reads."""
        spread = bool(self.task.preprocess.mask_channel)  # else one mask serves all, which halves the preprocessing
        batches = _batches(piece, self.batch_size, torch.device(self.device), spread)
        return [(batch[FRAME], self.task.preprocess(batch)) for batch in batches]

    def _predict(
        self, batches: list[Ready], patterns: PatternFile, stored: NDArray[Any] | None
    ) -> dict[str, NDArray[Any]]:
        """Name -> (n, ...) predictions of one piece of the file.

        Args:
            batches: Frame numbers and preprocessed patterns.
            patterns: File they are of.
            stored: (N, d) features of all its frames; None: the network computes them.
        """
        found = []
        for frame, pattern in batches:
            first = not frame[0] > 0
            with (
                self._features_known(frame, stored),
                size_refused(patterns.path, self.checkpoint, patterns.shape[1:], first=first),
            ):
                predicted: dict[str, Tensor] = self.task.answers_to(pattern, frame)
            found.append({name: predicted[name].float() for name in _COLUMNS if name in predicted})
        return {name: torch.cat([each[name] for each in found]).cpu().numpy() for name in found[0]}

    def _features_known(self, frame: Tensor, stored: NDArray[Any] | None) -> AbstractContextManager[None]:
        """Context in which the head takes stored features (N, d) of some frames (B,); none changes nothing."""
        if stored is None:
            return nullcontext()
        features = torch.from_numpy(stored[frame.numpy()].astype(np.float32, copy=False))
        return cast(LogisticHead, self.task.network).knowing(features.to(self.device))


def _narrow(features: NDArray[Any] | None) -> NDArray[Any] | None:
    """Thousands of features per frame, (N, d), as their first principal components, from which embeddings start."""
    if features is None or features.shape[1] <= MOST_FEATURES:
        return features
    rows = torch.from_numpy(features)
    torch.manual_seed(0)  # of the random start of the decomposition
    _, _, directions = torch.pca_lowrank(rows, q=min(MOST_FEATURES, *features.shape))
    return ((rows - rows.mean(0)) @ directions).numpy()


def _batches(piece: Piece, size: int, device: torch.device, spread: bool) -> Iterator[Batch]:
    """Cut a piece into batches on the device; a mask shared by all frames stays (1, 1, H, W) unless it is spread."""
    frame, photons = torch.from_numpy(piece.frame), torch.from_numpy(piece.photons)[:, None].to(device)
    mask = torch.from_numpy(np.array(piece.mask)).to(device)
    shared = mask.ndim == 2 and not spread
    mask = mask[:, None] if mask.ndim == 3 else mask[None, None] if shared else mask.expand(photons.shape)
    for start in range(0, len(frame), size):
        part = slice(start, start + size)
        yield {PHOTONS: photons[part], MASK: mask if shared else mask[part], FRAME: frame[part]}
