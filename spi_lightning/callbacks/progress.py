"""Progress of a training: its bar, the best density of a running refinement, and its densities as a file."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.trainer.states import TrainerFn
from rich.console import RenderableType
from rich.progress import TaskID
from rich.text import Text

from spi_lightning.fields import DENSITY
from spi_lightning.files import atomic_write
from spi_lightning.io.volumes.laboratory_file import write_laboratory
from spi_lightning.io.volumes.npz import write_npz
from spi_lightning.physics.bragg.laboratory import DETECTOR_FRAME, ScanAxes, crystal_in_laboratory
from spi_lightning.progress import LogLines
from spi_lightning.reports.live_slices import live_figure, live_sketch
from spi_lightning.tasks import Refinement


class Progress(RichProgressBar):
    """Lightning's progress bar over all batches of the run and the time that remains, with an optional text below.

    Where there is no terminal, a line every 10 s says the same.
    """

    below: Text | None = None
    _log: LogLines | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Move the bar, or write a line."""
        super().on_train_batch_end(trainer, pl_module, *batch)
        self._write_line(self.train_progress_bar_id, trainer, pl_module)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Move the bar, or write a line."""
        super().on_validation_batch_end(trainer, pl_module, *batch)
        self._write_line(self.val_progress_bar_id, trainer, pl_module)

    def _write_line(self, bar: TaskID | None, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.progress is None or bar is None or not self.is_enabled or self.progress.console.is_terminal:
            return
        self._log = self._log or LogLines()
        numbers = self.get_metrics(trainer, pl_module).items()
        words = "".join(f", {name} {value:.4g}" for name, value in numbers if isinstance(value, int | float))
        task = next(task for task in self.progress.tasks if task.id == bar)
        if (line := self._log.line(task, Text.from_markup(task.description).plain, words)) is not None:
            self.progress.console.print(line, soft_wrap=True)

    def show_below(self, draw: Callable[[int], Text]) -> None:
        """Display the text of ``draw`` of the terminal width below the bar from now on; nothing without a terminal."""
        if self.progress is not None and self.is_enabled and self.progress.console.is_terminal:
            self.below = draw(self.progress.console.width)
            self.progress.refresh()

    def _init_progress(self, trainer: pl.Trainer) -> None:
        super()._init_progress(trainer)
        bar = self.progress
        if bar is None or "get_renderables" in vars(bar):
            return
        alone = bar.get_renderables

        def both() -> Iterable[RenderableType]:
            yield from alone()
            if self.below is not None:
                yield self.below

        bar.get_renderables = both  # type: ignore[method-assign]

    @property
    def total_train_batches(self) -> int | float:
        """Number of batches of the whole run, infinite where neither epochs nor steps end it."""
        trainer = self.trainer
        ends = (
            [trainer.num_training_batches * trainer.max_epochs] if trainer.max_epochs and trainer.max_epochs > 0 else []
        )
        ends += [trainer.max_steps * trainer.accumulate_grad_batches] if trainer.max_steps > 0 else []
        return min(ends, default=float("inf"))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the bar of the run if there is none; a resumed run starts at its number of steps done."""
        if self.progress is None or self.is_disabled:
            return
        if self.train_progress_bar_id is None:
            self._initialize_train_progress_bar_id()
        description = self._get_train_description(trainer.current_epoch)
        done = trainer.fit_loop.total_batch_idx + 1
        self.progress.update(self.train_progress_bar_id, description=description, completed=done)  # type: ignore[arg-type]
        self.refresh()

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Numbers beside the bar: those that the task logs, without the version of the first logger."""
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}

    def _update(self, progress_bar_id: TaskID | None, current: int, visible: bool = True, hard: bool = False) -> None:
        """Set a bar to a number of batches: that of training to those of the run, which Lightning counts by epoch."""
        if progress_bar_id is not None and progress_bar_id == self.train_progress_bar_id:
            current = self.trainer.fit_loop.total_batch_idx + 1
        super()._update(progress_bar_id, current, visible, hard)

    def _get_train_description(self, current_epoch: int) -> str:
        in_epoch, total = self.trainer.num_training_batches, self.total_train_batches
        known = 0 < in_epoch < float("inf") and total < float("inf")
        words = f"Epoch {current_epoch + 1}{f' of {math.ceil(total / in_epoch)}' if known else ''}"
        return f"{words:{len(self.validation_description)}}"  # as wide as the bar of the validation below it


_LIVE = "live.png"
_MARGIN = 2  # columns left of a terminal's width


class LiveSlices(pl.Callback):
    """Central planes of the density of least chi square so far, under the progress bar and in ``live.png``.

    Args:
        folder: Run folder of the picture.
        seconds: Least time between two pictures, s.
    """

    def __init__(self, folder: str, seconds: float = 5.0) -> None:
        self.path, self.seconds, self.drawn = Path(folder) / _LIVE, seconds, -float("inf")

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Draw a picture if the last one is old enough."""
        if trainer.is_global_zero and time.monotonic() - self.drawn >= self.seconds:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the last picture."""
        if trainer.is_global_zero:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not isinstance(pl_module, Refinement) or pl_module.refiner is None or pl_module.refiner.best is None:
            return
        refiner, best = pl_module.refiner, int(pl_module.refiner.best_chi_square.argmin())
        density = pl_module.refiner.best[best].cpu().numpy()
        chi_square, correlation = float(refiner.best_chi_square[best]), float(refiner.correlation[best])
        title = f"network alone, epoch {refiner.epoch} of {refiner.epochs}: χ² {chi_square:.3g}, r_p {correlation:.4f}"
        with atomic_write(self.path) as part:
            live_figure(density, title).savefig(part, format="png", dpi=110)
        bar = trainer.progress_bar_callback
        if isinstance(bar, Progress):
            bar.show_below(lambda width: live_sketch(density, width - _MARGIN))
        self.drawn = time.monotonic()


_DENSITIES = "reconstruction.npz"
_log = logging.getLogger(__name__)


class WriteReconstruction(pl.Callback):
    """Write the densities of a Refinement and their errors to ``reconstruction.npz`` after each validation.

    The file holds density (members, z, y, x) complex, members of one pattern together, and chi_square, correlation,
    correlation_modified and held_out_chi_square (members,) of these densities, polished at the end;
    point_spread (members, 3), widths of the blur by partial coherence, pixels, where one was fitted; frame as text,
    and, where the geometry is known, voxel_m (3,) along the axes of the scan. Then, once it is over,
    ``PATTERN_laboratory.{cxi,vti,mrc,npz}`` hold the best member of each pattern in the laboratory frame.

    Args:
        folder: Run folder of the file.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file atomically."""
        if not isinstance(pl_module, Refinement) or not pl_module.reconstruction or not trainer.is_global_zero:
            return
        found: dict[str, Any] = {name: value.cpu().numpy() for name, value in pl_module.reconstruction.items()}
        polished = {
            name.removeprefix("polished_"): value for name, value in found.items() if name.startswith("polished_")
        }
        arrays = {name: value for name, value in found.items() if not name.startswith("polished_")} | polished
        axes = getattr(trainer.datamodule, "axes", [])  # type: ignore[attr-defined]
        if axes and axes[0] is not None:
            arrays["voxel_m"] = axes[0].vectors.norm(dim=0).numpy()
        arrays["frame"] = np.array(DETECTOR_FRAME)
        write_npz(self.folder / _DENSITIES, arrays)
        if trainer.state.fn != TrainerFn.FITTING:
            if (widths := pl_module.results.get("val/point_spread")) is not None:
                medians = ", ".join(f"{width:.2f}" for width in widths)
                _log.info(f"blur by partial coherence, medians along z, y, x: {medians} pixels (root mean square)")
            self._in_laboratory(arrays, trainer.datamodule.names if axes else [], axes)  # type: ignore[attr-defined]

    def _in_laboratory(self, arrays: dict[str, Any], names: Sequence[str], axes: Sequence[ScanAxes | None]) -> None:
        """Transform the best member of each pattern with known geometry to the laboratory frame, and write it."""
        for number, (name, each) in enumerate(zip(names, axes, strict=True)):
            members = len(arrays[DENSITY]) // len(names)
            best = number * members + int(arrays["chi_square"][number * members : (number + 1) * members].argmin())
            density = torch.from_numpy(arrays[DENSITY][best])
            if each is not None and bool(density.abs().max() > 0):
                support = density.abs() > 0.1 * density.abs().max()
                title = f"{name}, the member of least chi square of {members}"
                stem = self.folder / f"{name}_laboratory"
                write_laboratory(stem, crystal_in_laboratory(density, support, each), title)
                _log.info(f"{stem}.cxi, .vti, .mrc, .npz: laboratory frame, displacement and strain along Q")
