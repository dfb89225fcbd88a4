"""Checkpoints of a run, written atomically, whose file names are those of the folder that they lie in."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from spi_lightning.files import atomic_write
from spi_lightning.write_errors import error_recording_file

_PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Atomic write of checkpoints: a killed run leaves the previous checkpoint, never a partial one.

    File names in the states of Lightning's checkpoint callbacks are stored relative to their folder and read as files
    of this run, so that a copied, moved or unpacked run uses its own files.

    Args:
        folder: Folder of the checkpoints of this run; None: that of the checkpoint read.

    ``saved`` becomes True with the first checkpoint that is written.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        super().__init__()
        self.folder, self.saved = None if folder is None else Path(folder), False

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint to a local path atomically."""
        with atomic_write(path) as part, error_recording_file(part) as file:
            torch.save(_with_files_in(checkpoint, Path()), cast(IO[bytes], file))
        self.saved = True

    def load_checkpoint(
        self, path: Any, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, with the file names of its callbacks moved to this run."""
        checkpoint = super().load_checkpoint(path, map_location or (lambda storage, _: storage), weights_only)
        return _with_files_in(checkpoint, (self.folder or Path(path).parent).resolve())

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint of this run, and no other file."""
        if self.folder is None or Path(path).resolve().parent == self.folder.resolve():
            super().remove_checkpoint(path)


def _with_files_in(checkpoint: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Checkpoint with the file names of its callbacks in ``folder``; absent best files are dropped."""
    states = checkpoint.get("callbacks")
    if not isinstance(states, dict):
        return checkpoint
    moved = {key: _moved(state, folder) if _of_checkpoints(state) else state for key, state in states.items()}
    return {**checkpoint, "callbacks": moved}


def _of_checkpoints(state: Any) -> bool:
    return isinstance(state, dict) and "dirpath" in state and "best_model_path" in state


def _moved(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    names = {key: Path(str(state[key])).name for key in _PATHS if state.get(key)}
    best = {Path(str(path)).name: score for path, score in dict(state.get("best_k_models") or {}).items()}
    if folder != Path() and not (folder / names.get("best_model_path", "")).is_file():
        return _without_files(state) | {"dirpath": str(folder)}
    files = {key: str(folder / name) for key, name in names.items()}
    return {
        **state,
        **files,
        "dirpath": str(folder),
        "best_k_models": {str(folder / name): score for name, score in best.items()},
    }


def without_best(states: dict[str, Any]) -> dict[str, Any]:
    """States of callbacks in which no best checkpoint is chosen yet, and no early stop has waited."""
    kept = {key: state for key, state in states.items() if not (isinstance(state, dict) and "wait_count" in state)}
    return {
        key: _without_files(state) if _of_checkpoints(state) and state.get("monitor") else state
        for key, state in kept.items()
    }


def _without_files(state: dict[str, Any]) -> dict[str, Any]:
    lost: dict[str, Any] = {"best_model_score": None, "best_k_models": {}, **dict.fromkeys(_PATHS, "")}
    return {key: value for key, value in state.items() if key != "kth_value"} | lost
