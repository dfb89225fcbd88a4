"""Run of Weights & Biases that belongs to a run folder."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pytorch_lightning.loggers import WandbLogger

from spi_lightning.errors import UserError

WANDB_MODES: Final = ("disabled", "offline", "online")


class WandbRun(WandbLogger):
    """Logger of a run of Weights & Biases with its files in the run folder; a resumed run goes on in the same one.

    Args:
        folder: Run folder of the training.
        name: Name of the training; that of the folder follows it.
        mode: Mode of Weights & Biases: ``offline``: files in the run folder, sent later by ``wandb sync``; ``online``
            or ``disabled``.
        project: Name of the project in Weights & Biases.

    Raises:
        UserError: The mode is unknown; at the start, ``online`` has no login.
    """

    def __init__(self, folder: str, name: str = "run", mode: str = "offline", project: str = "spi_lightning") -> None:
        if mode not in WANDB_MODES:
            raise UserError(f"tracking.wandb.mode={mode} is unknown: choose one of {', '.join(WANDB_MODES)}")
        super().__init__(project=project, name=f"{name}/{Path(folder).name}", save_dir=str(folder), mode=mode)
        self._wandb_init.pop("anonymous", None)  # Lightning always passes it, and wandb then warns of it
        self.folder, self.mode = Path(folder), mode

    def start(self, resumed: bool) -> None:
        """Open the run, of a resumed training the one in its folder; UserError for a login that fails."""
        from wandb.errors import Error

        self.folder.mkdir(parents=True, exist_ok=True)
        if self.mode == "offline":
            os.environ.setdefault("WANDB_SILENT", "true")  # its summary repeats ours
        if resumed and (last := _last_run(self.folder)) is not None:
            self._wandb_init |= {"id": last, "resume": "allow"}
        try:
            self.experiment  # noqa: B018
        except Error as error:
            line = str(error).splitlines()[0]
            raise UserError(f"tracking={self.mode}: Weights & Biases says {line!r}; or tracking=offline") from error

    def finish(self, numbers: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Log the final numbers and the best checkpoint, and close the run."""
        import wandb

        run = self.experiment
        run.summary.update(dict(numbers))
        if checkpoint is not None:
            artifact = wandb.Artifact(f"checkpoint-{run.id}", type="checkpoint")
            artifact.add_file(str(checkpoint))
            run.log_artifact(artifact)
        wandb.finish()

    def discard(self) -> None:
        """Close the run and remove its files, where it has any."""
        if isinstance(directory := getattr(self._experiment, "dir", None), str):
            _remove_run(Path(directory).parent)


def _last_run(folder: Path) -> str | None:
    """Identifier of the newest run of Weights & Biases in a run folder; None where there is none."""
    runs = sorted((folder / "wandb").glob("*run-*-*"), key=lambda path: path.name.partition("run-")[2])
    return runs[-1].name.rpartition("-")[2] if runs else None


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
