"""Files of a run folder: settings, versions, numbers, checkpoints, each written atomically, undone after a mistake."""

import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import IO, Any, cast

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from spi_lightning.files import atomic_write, remove_empty
from spi_lightning.results.training import CONFIG, LOG
from spi_lightning.tasks.checkpoint import BEST
from spi_lightning.write_errors import error_recording_file

VERSIONS = "versions.json"


def versions() -> dict[str, Any]:
    """Packages, Python, git revision of the checkout and hardware of this process, as plain containers."""
    return {
        "packages": dict(_packages()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git": git_revision(),
        "cpu": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


@cache
def _packages() -> dict[str, str]:
    """Version of every installed package by its name, in alphabetical order; a process reads them once."""
    about = [distribution.metadata for distribution in metadata.distributions()]
    return dict(sorted(((each["Name"], each["Version"]) for each in about), key=lambda item: item[0].lower()))


def git_revision() -> str | None:
    """Commit of the checkout of this package, with "-dirty" if files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    """Name of the processor from Linux, else from Python."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


@contextmanager
def undone_after(is_mistake: Callable[[Exception], bool], folder: Path, discard: Callable[[], None]) -> Iterator[None]:
    """Context that leaves a run folder as it was, byte for byte, where a mistake ends it.

    Args:
        is_mistake: Function that says whether an error is a mistake made before anything was saved; after other errors
            the folder stays as it is.
        folder: Run folder of the training.
        discard: Function that removes what the loggers have written.
    """
    before = {
        path: path.read_bytes() if path.is_file() else None for path in map(folder.joinpath, (CONFIG, VERSIONS, LOG))
    }
    best = folder / BEST
    had_best = best.is_file()
    try:
        yield
    except Exception as error:
        if not is_mistake(error):
            raise
        discard()
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                with atomic_write(path) as part:
                    part.write_bytes(content)
        if not had_best:  # else copied from the run that was resumed
            best.unlink(missing_ok=True)
            remove_empty([best.parent])
        raise


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
