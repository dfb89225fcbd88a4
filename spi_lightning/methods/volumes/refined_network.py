"""Networks refined on the pattern itself as methods of 3D phasing: untrained, transferred, or as start of a recipe."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from spi_lightning.data.scans.single_volume import SingleVolumeDataModule, SingleVolumes
from spi_lightning.distributed import find_device
from spi_lightning.notes import NoteWarning
from spi_lightning.phasing import phase, read_recipe
from spi_lightning.physics.array import pad
from spi_lightning.physics.bragg.preparation import PreparedPattern
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.results.hit_answer import Notes
from spi_lightning.results.volume_answer import Trace, VolumeQuestion, VolumeRuns, cut_to_box
from spi_lightning.tasks.refining.refinement import Refinement

from .iterative import polish_within

MakeRefinement = Callable[[int, int, bool], tuple[Refinement, list[pl.Callback]]]


class GivenVolume(SingleVolumeDataModule):
    """One pattern that is in memory already, as a refinement takes it."""

    def __init__(self, fourier_amplitude: Tensor, mask: Tensor) -> None:
        super().__init__(path="")
        pattern = PreparedPattern(fourier_amplitude.square(), mask, (1, 1, 1), (0, 0, 0))
        patterns = SingleVolumes([pattern])
        self.splits = {"train": patterns, "val": patterns, "predict": patterns}


class Watch(pl.Callback):
    """Writes chi square of each answer into a trace after each training step, and shows it."""

    def __init__(self, trace: Trace, question: VolumeQuestion) -> None:
        self.trace, self.question = trace, question

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """One more row."""
        assert isinstance(pl_module, Refinement)
        if (refiner := pl_module.refiner) is not None:
            best = refiner.chi_square.view(pl_module.starts, -1).amin(1)  # of the candidates for each answer
            self.trace.add(refiner.epoch, best)
            self.question.progress(refiner.epoch, pl_module.epochs, best)


@dataclass(frozen=True)
class Then:
    """A recipe that goes on from a network's density.

    Attributes:
        recipe: See phasing.read_recipe; the first support is the network's box.
        polish_steps: Of L-BFGS within the last support.
        point_spread: See IterativeVolume.
    """

    recipe: str
    polish_steps: int = 200
    point_spread: float | None = None

    def __post_init__(self) -> None:
        require_width(self.point_spread, "then.point_spread")


class RefinedNetwork:
    """Networks refined as an experiment says, all starts together; its polish included.

    Args:
        name: Shown in tables.
        make: Makes the task of the experiment and its callbacks from starts, seed and float64.
        then: A recipe that goes on from there (network -> HIO/ER -> polish).
        single: All starts would be alike (those of a checkpoint), so that there is one.
        device: Where it computes.

    Source: Wu et al. (2021), "Unsupervised learning approach"; ``then`` is ours.
    """

    unit = "epoch"

    def __init__(
        self,
        name: str,
        make: MakeRefinement,
        then: Then | None = None,
        single: bool = False,
        device: str = "auto",
    ) -> None:
        self.name, self.make, self.then, self.single = name, make, then, single
        self.notes, self.device = Notes(), find_device(device)

    def answer_volumes(self, question: VolumeQuestion) -> VolumeRuns:
        """Refine, polish, and go on with the recipe if there is one."""
        trace = Trace()
        density, free, spread = self._refined(question, trace)
        if self.then is not None:
            density, free, spread = self._continued(density, question, self.then, trace)
        return VolumeRuns.of(density, free, trace, spread)

    def _refined(self, question: VolumeQuestion, trace: Trace) -> tuple[Tensor, Tensor, Tensor | None]:
        task, callbacks = self.make(1 if self.single else question.starts, question.seed, question.float64)
        data = GivenVolume(question.fourier_amplitude, question.mask)
        trainer = pl.Trainer(
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=-1,
            logger=False,
            callbacks=[*callbacks, Watch(trace, question)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            trainer.fit(task, data)
            trainer.validate(task, data, verbose=False)
        for one in warned:
            if isinstance(one.message, NoteWarning):
                self.notes.say(one.message.note.about(self.name))
        found = task.reconstruction
        if "polished_chi_square" in found:
            trace.add(trace.step[-1] + task.polish_steps, found["polished_chi_square"])
        density = found["density"].to(self.device)
        free = found.get("free_voxels", density.abs().new_full((len(density),), density[0].numel()))
        return density, free, found.get("point_spread")

    def _continued(
        self, density: Tensor, question: VolumeQuestion, then: Then, trace: Trace
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        amplitude, mask = question.fourier_amplitude.to(self.device), question.mask.to(self.device)
        box = torch.ones_like(density[0].real, dtype=torch.bool)
        support = pad(box.to(torch.uint8), tuple(amplitude.shape)).bool()
        recipe, before = read_recipe(then.recipe), trace.step[-1]

        def watch(iteration: int, iterations: int, error: Tensor) -> None:
            if iteration % 10 == 0 or iteration == iterations:
                trace.add(before + iteration, error.square())
                question.progress(iteration, iterations, error.square())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = phase(
                amplitude[None],
                mask[None],
                recipe,
                "complex",
                support=support,
                starts=len(density),
                start=pad(density.to(torch.complex64), tuple(amplitude.shape)),
                progress=watch,
                least_oversampling=1.0,
            )
        exact = amplitude.double() if question.float64 else amplitude
        width = None if question.float64 else then.point_spread
        polished, spread = polish_within(
            found.density * found.support, found.support, exact, mask, then.polish_steps, trace, width
        )
        return cut_to_box(polished, found.support), found.support.flatten(1).sum(1), spread
