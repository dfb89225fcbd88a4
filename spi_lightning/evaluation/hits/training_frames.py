"""Training frames among the frames to be scored, whose scores do not apply to new frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spi_lightning.data.hits import labelled_splits
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.methods import CheckpointMethod, DiffusionMap, Reference
from spi_lightning.notes import Note
from spi_lightning.tasks import read_checkpoint

Frames = NDArray[np.int64]
_MODULE = "HitDataModule"
_MOST_STARTS = 8  # of a chain of fine-tuned runs
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class TrainingFrames:
    """Frames of a file that a method was trained on, and those by which its best weights were chosen, sorted."""

    trained: Frames = field(default_factory=lambda: _NONE)
    validated: Frames = field(default_factory=lambda: _NONE)

    @property
    def frames(self) -> Frames:
        """Both."""
        return np.union1d(self.trained, self.validated)


def training_frames_of(methods: Sequence[Any], patterns: PatternFile) -> dict[str, TrainingFrames]:
    """Name of a method -> frames of the file it was trained on, of those that were trained on any."""
    found = {}
    for method in methods:
        if isinstance(method, CheckpointMethod):
            used = _frames_of_training(method.config, patterns)
        elif isinstance(method, Reference | DiffusionMap) and method.learn_from is not None:
            paths = {Path(method.learn_from).resolve()}
            origins = patterns.origin(np.arange(len(patterns)))
            used = TrainingFrames(np.flatnonzero([file.path.resolve() in paths for file, _ in origins]))
        else:
            continue
        if len(used.frames):
            found[method.name] = used
    return found


def training_notes(training: Mapping[str, TrainingFrames], patterns: PatternFile) -> list[Note]:
    """A warning for each method that was trained on frames of the file."""
    label = patterns.labels.get(IS_SINGLE_HIT)
    lines = []
    for name, each in training.items():
        others = np.setdiff1d(np.arange(len(patterns)), union_of(training))
        if label is None:
            remedy = "its answers there say nothing of new frames"
        elif (label[others] >= 0).any():
            remedy = f"test/... counts them; test_kept/... leaves out all {len(union_of(training))} frames of training"
        else:
            remedy = "no labelled frame is left that is new to it, so its numbers say nothing of new frames"
        validated = f" and validated on {len(each.validated)}" if len(each.validated) else ""
        lines.append(
            Note.warning(
                f"{name} was trained on {len(each.trained)}{validated} of these {len(patterns)} frames; {remedy}"
            )
        )
    return lines


def union_of(training: Mapping[str, TrainingFrames]) -> Frames:
    """Frames that any method was trained or validated on, sorted."""
    return np.unique(np.concatenate([_NONE, *(each.frames for each in training.values())]))


def _frames_of_training(config: Mapping[str, Any], patterns: PatternFile) -> TrainingFrames:
    """Training frames of a run, and of the runs from whose weights it started, as far as these exist."""
    trained, validated = _NONE, _NONE
    for _ in range(_MOST_STARTS):
        used = _frames_of_run(config.get("data") or {}, patterns)
        trained, validated = np.union1d(trained, used.trained), np.union1d(validated, used.validated)
        try:
            config = read_checkpoint(config["checkpoint"]).get("config") or {}
        except (KeyError, TypeError, UserError):
            break
    return TrainingFrames(trained, np.setdiff1d(validated, trained))


def _frames_of_run(data: Mapping[str, Any], patterns: PatternFile) -> TrainingFrames:
    """Training and validation frames of a run: its file, split again, and compared with the evaluated frames."""
    text = str(data.get("path"))
    files = dict.fromkeys(file for file, _ in patterns.origin(np.arange(len(patterns))))
    own = {file.path.name for file in files}
    if not str(data.get("_target_")).endswith(_MODULE) or not any(word in text for word in (*"*?[", *own)):
        return TrainingFrames()
    stored = {name: value for name, value in (data.get("keys") or {}).items() if name not in ("_target_", "reader")}
    reader = next((file.reader for file in files if file.reader), None)  # of the command; a checkpoint names none
    try:
        file = open_patterns(
            data["path"], PatternKeys(**stored, reader=reader), data.get("mask_convention") or "auto", check=False
        )
        splits = labelled_splits(file, data["fractions"], data["seed"])
    except (UserError, KeyError, TypeError):
        return TrainingFrames()
    index = {(each.path.resolve(), frame): i for i, (each, frame) in enumerate(patterns.origin(range(len(patterns))))}
    found = []
    for name in ("train", "val"):
        origins = ((each.path.resolve(), frame) for each, frame in file.origin(splits.get(name, _NONE)))
        found.append(np.array(sorted({index[origin] for origin in origins if origin in index}), dtype=np.int64))
    return TrainingFrames(*found)
