"""A trained task answers a file: load the checkpoint, read ahead, predict."""

import time
from collections.abc import Callable, Iterator
from glob import glob
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

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
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.methods.size_mismatch import require_size, size_refused
from spi_lightning.networks.tiny_cnn import TinyCNN
from spi_lightning.results.hit_answer import Answer, DecisionRule, Given
from spi_lightning.tasks import HitClassification, find_checkpoint, load_task

from .reading import Piece, prepare_ahead

Ready = tuple[Tensor, Tensor]  # frame (B,) and preprocessed patterns (B, C, h, w)
MOST_FEATURES = 64


class CheckpointMethod:
    """Answers of one checkpoint of a hit classification.

    The task is rebuilt from the checkpoint alone and kept on the device between answers.

    Args:
        name: Shown in tables.
        checkpoint: Run folder (its best checkpoint is taken) or .ckpt file.
        instantiate: Makes objects of configs with ``_target_``; hydra.utils.instantiate.
        decision: From probability to decision.
        batch_size: Patterns per pass through the network.
        device: ``auto`` (the GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...
        views: Instead of those of its task, see HitClassification; None: its own.
        crop, bin: Instead of those of its preprocessing, for patterns of another size or pixel; None: its own.

    Raises:
        UserError: No such run or checkpoint, one of another task, or a device that is not there.
    """

    needs_given = False

    def __init__(
        self,
        name: str,
        checkpoint: str | Path,
        instantiate: Callable[..., Any],
        decision: DecisionRule | None = None,
        batch_size: int = 64,
        device: str = "auto",
        crop: int | None = None,
        bin: int | None = None,
        views: str | None = None,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size} must be 1 or more.")
        self.name, self.decision, self.batch_size = name, decision or DecisionRule(), batch_size
        self.path, self.device = find_checkpoint(checkpoint), find_device(device)
        task, self.config = load_task(self.path, instantiate)
        self.task = cast(HitClassification, task).to(self.device).eval()
        self.task.views = views or self.task.views
        preprocess = self.task.preprocess
        preprocess.crop, preprocess.bin = crop or preprocess.crop, bin or preprocess.bin

    def require_size(self, patterns: PatternFile) -> None:
        """Refuse a file whose patterns do not become of the one size that the network takes, where it has one."""
        preprocess, network = self.task.preprocess, self.task.network
        size = network.size if isinstance(network, TinyCNN) else None
        if size is None and preprocess.mean.numel() > 1 and preprocess.mean.shape[-1] == preprocess.mean.shape[-2]:
            size = preprocess.mean.shape[-1]  # of the mean image that is subtracted
        if size is not None:
            height, width = patterns.shape[1:]
            require_size(patterns.path, self.path, (height, width), size, preprocess.crop, preprocess.bin)

    def answer(self, patterns: PatternFile, given: Given | None = None) -> Answer:
        """Answer every frame of a file, in order; the network computes while a thread reads and preprocesses on.

        Raises:
            UserError: The network cannot take patterns of this shape, or a frame cannot be read.
        """
        self.require_size(patterns)
        start = time.perf_counter()
        with torch.inference_mode():
            ready = prepare_ahead(patterns, self._prepare, title=self.name)
            pieces = [self._predict(batches, patterns) for batches in ready]
        columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        decision, abstain = self.decision(columns[PROBABILITY])
        return Answer(
            name=self.name,
            frame=columns[FRAME],
            score=columns[SCORE],
            probability=columns[PROBABILITY],
            decision=decision,
            abstain=abstain,
            seconds=time.perf_counter() - start,
            features=_narrow(columns.get(FEATURES)),
            class_probability=columns.get(CLASS_PROBABILITY),
            distance_from_training=columns.get(DISTANCE_FROM_TRAINING),
            usual_distance=self.task.domain.beyond_most() if self.task.domain.known else None,
        )

    @torch.inference_mode()
    def _prepare(self, piece: Piece) -> list[Ready]:
        """Preprocess a piece of the file in batches; this runs beside the network, in the thread that reads."""
        spread = bool(self.task.preprocess.mask_channel)  # else one mask serves all, which halves the preprocessing
        batches = _batches(piece, self.batch_size, self.device, spread)
        return [(batch[FRAME], self.task.preprocess(batch)) for batch in batches]

    def _predict(self, batches: list[Ready], patterns: PatternFile) -> dict[str, np.ndarray[Any, Any]]:
        """Name -> (n, ...) answers to one piece of the file."""
        answers = []
        for frame, pattern in batches:
            with size_refused(patterns.path, self.path, patterns.shape[1:], first=not frame[0] > 0):
                answer: dict[str, Tensor] = self.task.answers_to(pattern, frame)
            answers.append({FRAME: frame, **_wanted(answer)})
        return {name: torch.cat([answer[name] for answer in answers]).cpu().numpy() for name in answers[0]}


def _narrow(features: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any] | None:
    """Thousands of features per frame, (N, d), as their first principal components: what an embedding starts with."""
    if features is None or features.shape[1] <= MOST_FEATURES:
        return features
    rows = torch.from_numpy(features)
    torch.manual_seed(0)  # of the random start of the decomposition
    _, _, directions = torch.pca_lowrank(rows, q=min(MOST_FEATURES, *features.shape))
    return ((rows - rows.mean(0)) @ directions).numpy()


def _wanted(answer: dict[str, Tensor]) -> dict[str, Tensor]:
    """What an Answer keeps of a prediction."""
    names = (SCORE, PROBABILITY, FEATURES, CLASS_PROBABILITY, DISTANCE_FROM_TRAINING)
    return {name: answer[name].float() for name in names if name in answer}


def _batches(piece: Piece, size: int, device: torch.device, spread: bool) -> Iterator[Batch]:
    """Cut a piece into batches on the device; a mask shared by all frames stays (1, 1, H, W) unless it is spread."""
    frame, photons = torch.from_numpy(piece.frame), torch.from_numpy(piece.photons)[:, None].to(device)
    mask = torch.from_numpy(np.array(piece.mask)).to(device)
    shared = mask.ndim == 2 and not spread
    mask = mask[:, None] if mask.ndim == 3 else mask[None, None] if shared else mask.expand(photons.shape)
    for start in range(0, len(frame), size):
        part = slice(start, start + size)
        yield {PHOTONS: photons[part], MASK: mask if shared else mask[part], FRAME: frame[part]}


def find_checkpoints(entry: str) -> list[Path]:
    """A path, or a pattern such as ``runs/han_resnet10/*``, -> checkpoint files.

    Raises:
        UserError: There is none; of a pattern, matches that hold no checkpoint are passed over.
    """
    if Path(entry).exists() or not any(sign in entry for sign in "*?["):
        return [find_checkpoint(entry)]
    found = []
    for match in sorted(glob(entry)):  # noqa: PTH207  Path.glob takes no absolute pattern
        try:
            found.append(find_checkpoint(match))
        except UserError:
            continue
    if not found:
        raise UserError(f"checkpoint={entry}: no run folder or checkpoint matches.")
    return found


def run_name(checkpoint: Path) -> str:
    """Short name of a checkpoint: the last two folders of its run, or its own name outside a run."""
    path = checkpoint.resolve()
    if path.parent.name != "checkpoints":
        return path.stem
    run, name = path.parent.parent, path.stem
    short = f"{run.parent.name}/{run.name}" if run.parent.name else run.name
    return short if name == "best" else f"{short}/{name}"
