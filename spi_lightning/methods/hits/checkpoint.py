"""Checkpoint of a hit classification as a method: load the task, read ahead, predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from spi_lightning.data.scale.crop_centre import follow_beam
from spi_lightning.data.scale.file_hits import hits_among
from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.data.transforms import Preprocess
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    CLASS_PROBABILITY,
    DISTANCE_FROM_TRAINING,
    FEATURES,
    FRAME,
    IS_HIT,
    MASK,
    PHOTONS,
    PROBABILITY,
    SCORE,
    Batch,
)
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.hits.frame_vectors import LastValue
from spi_lightning.methods.resized import require_size, size_refused
from spi_lightning.networks.logistic_head import LogisticHead
from spi_lightning.networks.tiny_cnn import TinyCNN
from spi_lightning.notes import Note
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart
from spi_lightning.tasks import HitClassification, find_checkpoint, load_task
from spi_lightning.tasks.frozen.transfer_classification import TransferClassification

Ready = tuple[Tensor, Tensor, Tensor | None]  # frame (B,), preprocessed patterns (B, C, h, w), and which are hits
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
        speckle: Speckle width, pixel, for a network that takes patterns of any size; None: found from the hits of the
            file, see data.scale.file_scale.
        beam_centre: Row and column of the beam, pixel, around which patterns are cropped; None: as the file says, and
            for a network that takes patterns of any size else found, see data.scale.crop_centre for others.
        hit_threshold: Standard deviations above background from which a frame is a hit; such a network answers others
            with probability 0.
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
    speckle: float | None = None
    beam_centre: Sequence[float] | None = None
    hit_threshold: float = 5.0
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
        settings = {name: getattr(self, name) for name in ("crop", "bin", "speckle", "beam_centre")}
        found.preprocess.adjust(settings)
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
        if not isinstance(preprocess, Preprocess):
            return
        size = network.size if isinstance(network, TinyCNN) else None
        if size is None and preprocess.mean.numel() > 1 and preprocess.mean.shape[-1] == preprocess.mean.shape[-2]:
            size = preprocess.mean.shape[-1]  # of the mean image that is subtracted
        require_size(patterns, self.checkpoint, size, preprocess.crop, preprocess.bin)

    def _other_size(self, patterns: PatternFile) -> list[Note]:
        """Note on patterns of another size than the simulated ones that a network of any size was trained on."""
        preprocess, simulated = self.task.preprocess, self.config.get("simulate") or {}
        trained = simulated.get("shape") if isinstance(simulated, Mapping) else None
        if (
            not isinstance(preprocess, Preprocess)
            or preprocess.crop is not None
            or not isinstance(trained, list | tuple)
        ):
            return []
        if tuple(trained) == tuple(patterns.shape[1:]):
            return []
        height, width = patterns.shape[1:]
        text = f"patterns of {height} x {width} pixels, the network was trained on {trained[0]} x {trained[1]}"
        return [
            Note.hint(f"{text}: its answers hold for fringes as wide as there; bin and crop bring them to that size")
        ]

    def fit_to(self, patterns: PatternFile) -> list[Note]:
        """Set the scale of a network for patterns of any size, or the centre of a crop, to a file's; notes on it."""
        return self._fitted(patterns)

    @cached_property
    def _fitted(self) -> LastValue[PatternFile, list[Note]]:
        preprocess = self.task.preprocess
        if isinstance(preprocess, Preprocess):
            centres = self.beam_centre, preprocess.beam_centre  # the user's, and the training's
            return LastValue(
                lambda patterns: follow_beam(preprocess, patterns, *centres, self.hit_threshold, self.device)
            )
        return LastValue(lambda patterns: self.task.fit_to(patterns, self.hit_threshold))

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        """Answer every frame of a file, in order; the network computes while a thread reads and preprocesses on.

        Raises:
            UserError: The network cannot take patterns of this shape, or a frame cannot be read.
        """
        patterns = part.patterns
        self.require_size(patterns)
        for note in (*self._other_size(patterns), *self.fit_to(patterns)):
            listener.note(note)
        stored = self._stored_features(patterns)
        with torch.inference_mode():
            ready = prepare_ahead(patterns, self._prepare, title=self.name)
            pieces = [self._predict(batches, patterns, stored) for batches in ready]
        columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        domain, preprocess = self.task.domain, self.task.preprocess
        is_hit = columns.get(IS_HIT)
        if is_hit is not None:
            columns |= {name: columns[name] * is_hit for name in (SCORE, PROBABILITY)}
        return HitAnswer(
            score=columns[SCORE],
            probability=columns[PROBABILITY],
            features=_narrow(columns.get(FEATURES)),
            class_probability=columns.get(CLASS_PROBABILITY),
            distance_from_training=columns.get(DISTANCE_FROM_TRAINING),
            usual_distance=domain.beyond_most() if domain.known else None,
            is_hit=is_hit,
            scale=preprocess.scale if isinstance(preprocess, ScaleFree) else None,
        )

    def _stored_features(self, patterns: PatternFile) -> NDArray[Any] | None:
        """Features (N, d) of a frozen backbone, from the disk where they are known; None of other networks."""
        task, network = self.task, self.task.network
        frozen = isinstance(task, TransferClassification) and isinstance(network, LogisticHead)
        if self.cache_dir is None or not frozen or not isinstance(task.preprocess, Preprocess):
            return None
        if task.preprocess.crop or task.preprocess.bin != 1 or task.views != "none":
            return None
        backbone = cast(LogisticHead, network).backbone
        return cached_features(patterns, backbone, None, self.cache_dir, self.feature_dtype, self.device)

    @torch.inference_mode()
    def _prepare(self, piece: Piece) -> list[Ready]:
        """Preprocess a piece of the file in batches; this runs beside the network, in the thread that reads."""
        batches = list(_batches(piece, self.batch_size, torch.device(self.device)))
        return [(batch[FRAME], self.task.preprocess(batch), self._is_hit(batch)) for batch in batches]

    def _is_hit(self, batch: Batch) -> Tensor | None:
        """Which frames (B,) of a batch are hits, for a network that is trained on hits alone."""
        preprocess = self.task.preprocess
        if not isinstance(preprocess, ScaleFree) or preprocess.scale is None:
            return None
        return hits_among(batch[PHOTONS][:, 0], batch[MASK][:, 0], preprocess.scale, self.hit_threshold)

    def _predict(
        self, batches: list[Ready], patterns: PatternFile, stored: NDArray[Any] | None
    ) -> dict[str, NDArray[Any]]:
        """Name -> (n, ...) predictions of one piece of the file.

        Args:
            batches: Frame numbers and preprocessed patterns, and which frames are hits.
            patterns: File they are of.
            stored: (N, d) features of all its frames; None: the network computes them.
        """
        found = []
        for frame, pattern, is_hit in batches:
            first = not frame[0] > 0
            with (
                self._features_known(frame, stored),
                size_refused(patterns.path, self.checkpoint, patterns.shape[1:], first=first),
            ):
                predicted: dict[str, Tensor] = self.task.answers_to(pattern, frame)
            found.append({name: predicted[name].float() for name in _COLUMNS if name in predicted})
            if is_hit is not None:
                found[-1][IS_HIT] = is_hit
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


def _batches(piece: Piece, size: int, device: torch.device) -> Iterator[Batch]:
    """Cut a piece into batches on the device; a mask shared by all frames stays (1, 1, H, W)."""
    frame, photons = torch.from_numpy(piece.frame), torch.from_numpy(piece.photons)[:, None].to(device)
    mask = torch.from_numpy(np.array(piece.mask)).to(device)
    shared = mask.ndim == 2
    mask = mask[None, None] if shared else mask[:, None]
    for start in range(0, len(frame), size):
        part = slice(start, start + size)
        yield {PHOTONS: photons[part], MASK: mask if shared else mask[part], FRAME: frame[part]}
