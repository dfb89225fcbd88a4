"""A run that is resumed: its last whole checkpoint, how far it has come, and where it writes from now on."""

import logging
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from spi_lightning.errors import UserError
from spi_lightning.files import atomic_write
from spi_lightning.results.training import LOG
from spi_lightning.tasks import find_checkpoint, read_checkpoint
from spi_lightning.tasks.checkpoint import require_whole
from spi_lightning.tasks.checkpoint_files import BEST, LAST, run_of

_WRITES: Final = ("folder", "dirpath", "default_root_dir", "save_dir", "log_dir")  # settings that name a folder to fill
_ELSEWHERE: Final = ("archive",)  # settings that reach beyond the run folder
_MLFLOW: Final = {"tracking_uri": "sqlite:///{}/mlflow.db", "artifact_location": "{}/mlruns"}  # in the run folder
_MOST_STEPS: Final = 2**53
_RESTORES: Final = ("restore", "_restore", "on_load_checkpoint")  # functions of Lightning, by how their names begin
_OPTIMISER: Final = Path(torch.optim.__file__).parent
_log = logging.getLogger(__name__)


def last_checkpoint(resume: str, warn: bool = False) -> Path:
    """Checkpoint to resume from: the named file, or the last one of a run folder; if damaged, the one before.

    Args:
        resume: Run folder or checkpoint.
        warn: Whether a damaged checkpoint that is passed over is logged.

    Raises:
        UserError: There is none, or all are damaged.
    """
    named = [Path(resume)] if Path(resume).is_file() else []
    found = [path for path in (*named, run_of(resume) / LAST, run_of(resume) / BEST) if path.is_file()]
    damage: UserError | None = None
    for path in found:
        try:
            require_whole(path)
        except UserError as error:
            damage = damage or error
        else:
            if damage and warn:
                _log.warning("%s The run goes on from %s instead.", f"{damage}".rstrip(".") + ".", path)
            return path
    if damage:
        raise damage
    return find_checkpoint(resume, "resume")


@dataclass(frozen=True)
class ResumedRun:
    """State of a run at the checkpoint from which it is resumed.

    Args:
        path: Checkpoint that holds the state.
        steps: Number of steps done; later rows of metrics.csv will be logged again.
        optimiser_steps: Number of optimiser steps done.
        epoch_row: Numbers of an epoch that ended with the checkpoint, see callbacks.SaveConfig.
        settings: Configuration of the run, plain containers; its task names registered parts alone.
        weights: Weights of the task by name.
    """

    path: Path
    steps: int
    optimiser_steps: int
    epoch_row: dict[str, Any]
    settings: dict[str, Any]
    weights: dict[str, Any]

    @classmethod
    def of(cls, resume: str | None) -> "ResumedRun | None":
        """State in the last checkpoint of a run; None where nothing is resumed. UserError for any other content."""
        if resume is None:
            return None
        path = last_checkpoint(resume, warn=True)
        checkpoint = read_checkpoint(path)
        try:
            loop = checkpoint["loops"]["fit_loop"]
            batches, done = loop["epoch_loop.batch_progress"]["total"]["ready"], int(checkpoint["global_step"])
            steps = int(loop["epoch_loop.state_dict"].get("_batches_that_stepped", done))
            steps += steps < batches  # saved before the last step was counted
            epochs = int(loop["epoch_progress"]["current"]["completed"])
            row = dict(checkpoint.get("epoch_row") or {})
            plain = min(steps, done, batches, epochs) >= 0 and all(
                isinstance(each, int | float) for each in row.values()
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _state_refused(path, error) from error
        if not plain or steps > _MOST_STEPS or done > _MOST_STEPS:
            raise _state_refused(path, f"step {done}, row {row}")
        return cls(path, steps, done, row, checkpoint["config"] or {}, checkpoint["state_dict"])

    def copy_results(self, folder: Path) -> None:
        """Copy best checkpoint and log of a run that is resumed in another folder; the original stays unchanged."""
        source = run_of(self.path)
        for name in (BEST, LOG):
            if source.resolve() != folder.resolve() and (source / name).is_file():
                with atomic_write(folder / name) as part:
                    shutil.copyfile(source / name, part)


@contextmanager
def restored_state(resumed: ResumedRun | None) -> Iterator[None]:
    """Context in which a state of optimiser, schedule, callbacks or loops that does not fit is a UserError.

    Weights have errors of their own.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        restored = any(each.name.startswith(_RESTORES) or _OPTIMISER in Path(each.filename).parents for each in frames)
        if resumed is None or isinstance(error, UserError) or not restored:
            raise
        raise _state_refused(resumed.path, error) from error


def _state_refused(path: Path, why: object) -> UserError:
    reason = f"{type(why).__name__}: {why}" if isinstance(why, BaseException) else str(why)
    return UserError(
        f"{path}: the state of the training in it cannot be taken up ({' '.join(reason.split())[:200]}); "
        f"checkpoint={path} starts a new run from its weights"
    )


def writing_to(folder: str, cache_dir: str, settings: Any) -> Any:
    """Settings of a checkpoint, in which everything that names a folder to write to names that of the new command.

    Args:
        folder: Run folder; checkpoints lie in ``checkpoints`` inside it.
        cache_dir: Folder that holds caches.
        settings: Plain containers; structures are not fetched from an archive again, and no server
            that they name is written to.
    """
    if isinstance(settings, list):
        return [writing_to(folder, cache_dir, value) for value in settings]
    if not isinstance(settings, dict):
        return settings
    folders = dict.fromkeys(_WRITES, folder)
    folders |= {"dirpath": str(Path(folder) / Path(LAST).parent), "cache_dir": cache_dir}
    here = {key: writing_to(folder, cache_dir, value) for key, value in settings.items()}
    if here.get("cache_dir") not in (None, cache_dir):
        _log.info("cache_dir=%s of the checkpoint is not taken: %s", here["cache_dir"], cache_dir)
    folders |= {key: inside.format(folder) for key, inside in _MLFLOW.items()}
    here |= {key: folders[key] for key in here if key in folders and here[key] is not None}
    return here | {key: None for key in _ELSEWHERE if key in here}
