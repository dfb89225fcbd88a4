"""Progress bar of a training, and live display of the best density of a running refinement."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from rich.console import RenderableType
from rich.text import Text

from spi_lightning.files import atomic_write
from spi_lightning.reports.live_slices import live_figure, live_sketch
from spi_lightning.tasks import Refinement


class Progress(RichProgressBar):
    """Lightning's progress bar, which counts towards max_steps where set, with an optional text below."""

    below: Text | None = None

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

    def _get_train_description(self, current_epoch: int) -> str:
        if (self.trainer.max_epochs or -1) > 0:
            return super()._get_train_description(current_epoch)
        last = f", step {self.trainer.global_step} of {self.trainer.max_steps}" if self.trainer.max_steps > 0 else ""
        return f"Epoch {current_epoch}{last}"


NAME = "live.png"
_MARGIN = 2  # columns left of a terminal's width


class LiveSlices(pl.Callback):
    """Central planes of the density of least chi square so far, under the progress bar and in ``live.png``.

    Args:
        folder: Run folder of the picture.
        seconds: Least time between two pictures, s.
    """

    def __init__(self, folder: str, seconds: float = 5.0) -> None:
        self.path, self.seconds, self.drawn = Path(folder) / NAME, seconds, -float("inf")

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
