"""Loggers of a run: CSV always, Weights & Biases and TensorBoard by choice."""

import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from spi_lightning.errors import UserError
from spi_lightning.files import remove_empty

from .csv_log import FolderCSVLogger, Row

WANDB_MODES = ("disabled", "offline", "online")


@dataclass
class Tracking:
    """Configuration of the loggers of a run.

    Args:
        wandb: Mode of Weights & Biases: ``offline`` (default: files in the run folder, sent later by ``wandb sync``),
            ``online`` or ``disabled``.
        tensorboard: Whether to write TensorBoard files too.
        project: Name of the project in Weights & Biases.

    Raises:
        UserError: The mode is unknown, or ``online`` has no login.
    """

    wandb: str = "offline"
    tensorboard: bool = False
    project: str = "spi_lightning"

    def __post_init__(self) -> None:
        self._before: Collection[Path] = ()  # files of TensorBoard that an earlier part of the run has written
        if self.wandb not in WANDB_MODES:
            raise UserError(f"tracking.wandb={self.wandb} is unknown: choose one of {', '.join(WANDB_MODES)}")

    def loggers(
        self,
        folder: str | Path,
        name: str,
        config: Mapping[str, Any],
        steps: int | None = None,
        last: Row | None = None,
    ) -> list[Logger]:
        """Open the loggers of a run in its folder, with the resolved config where they display one.

        ``steps`` and ``last`` are those of a resumed run, see FolderCSVLogger.
        """
        found: list[Logger] = [FolderCSVLogger(folder, steps, last)]
        if self.tensorboard:
            found.append(TensorBoardLogger(str(folder), name="tensorboard", version=""))
            self._before = set((Path(folder) / "tensorboard").glob("*"))
        if self.wandb != "disabled":
            found.append(self._wandb(Path(folder), name))
            found[-1].log_hyperparams(dict(config))
        return found

    def finish(self, loggers: list[Logger], numbers: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Log the final numbers and the best checkpoint to Weights & Biases, and close every log."""
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                self._finish_wandb(logger, numbers, checkpoint)
            else:
                logger.finalize("success")

    def discard(self, loggers: list[Logger]) -> None:
        """Remove the logs of Weights & Biases and TensorBoard of a run that failed before its first step."""
        for logger in loggers:
            if isinstance(logger, TensorBoardLogger):
                _remove_events(logger, self._before)
            if isinstance(logger, WandbLogger) and isinstance(
                directory := getattr(logger._experiment, "dir", None), str
            ):
                _remove_run(Path(directory).parent)

    def _wandb(self, folder: Path, name: str) -> WandbLogger:
        from wandb.errors import Error

        folder.mkdir(parents=True, exist_ok=True)
        if self.wandb == "offline":
            os.environ.setdefault("WANDB_SILENT", "true")  # its summary repeats ours
        logger = WandbLogger(
            project=self.project,
            name=f"{name}/{folder.name}",
            save_dir=str(folder),
            mode=self.wandb,
        )
        logger._wandb_init.pop("anonymous", None)  # Lightning always passes it, and wandb then warns of it
        try:
            logger.experiment  # noqa: B018  a login that fails must fail here
        except Error as error:
            line = str(error).splitlines()[0]
            raise UserError(f"tracking={self.wandb}: Weights & Biases says {line!r}; or tracking=offline") from error
        return logger

    def _finish_wandb(self, logger: WandbLogger, numbers: Mapping[str, float], checkpoint: Path | None) -> None:
        import wandb

        run = logger.experiment
        run.summary.update(dict(numbers))
        if checkpoint is not None:
            artifact = wandb.Artifact(f"checkpoint-{run.id}", type="checkpoint")
            artifact.add_file(str(checkpoint))
            run.log_artifact(artifact)
        wandb.finish()


def _remove_events(logger: TensorBoardLogger, before: Collection[Path]) -> None:
    """Close a TensorBoard log and delete its files, and its folder if empty."""
    if logger._experiment is not None:
        logger._experiment.close()
    folder = Path(str(logger.log_dir))
    for path in set(folder.glob("*")) - set(before):
        path.unlink(missing_ok=True)
    remove_empty([folder])


def _remove_run(run: Path) -> None:
    """Close a wandb run and delete its folder, the links to it, and the folder of runs if it was the only one."""
    import wandb

    wandb.finish(exit_code=1)
    shutil.rmtree(run, ignore_errors=True)
    for link in run.parent.iterdir():
        if link.is_symlink() and not link.exists():
            link.unlink()
    with suppress(OSError):  # other runs are there
        run.parent.rmdir()
