"""Progress bar of a training."""

from collections.abc import Callable, Iterable

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from rich.console import RenderableType
from rich.text import Text


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
