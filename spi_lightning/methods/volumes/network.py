"""Networks as methods of 3D phasing: a prediction alone, and networks refined on the pattern itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor

from spi_lightning.console import quiet_lightning
from spi_lightning.data.scans.single_volume import SingleVolumeDataModule
from spi_lightning.distributed import find_device
from spi_lightning.fields import AMPLITUDE, DENSITY, FOURIER_AMPLITUDE, FRAME, MASK, PHASE
from spi_lightning.fingerprint import Irrelevant, require_fingerprint
from spi_lightning.methods.resized import size_refused
from spi_lightning.notes import NoteWarning
from spi_lightning.phasing import read_recipe
from spi_lightning.physics.agreement import chi_square
from spi_lightning.physics.array import pad
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.progress import Listener
from spi_lightning.results.volume_answer import Trace, VolumePart, VolumeRuns, cut_to_box
from spi_lightning.tasks.checkpoint import load_task, read_start
from spi_lightning.tasks.checkpoint_files import find_checkpoint
from spi_lightning.tasks.complex_reconstruction import ComplexReconstruction, pattern_modulus
from spi_lightning.tasks.refining.refinement import Refinement

from .iterative import polish_within, run_recipe


@dataclass(frozen=True)
class VolumeCheckpoint:
    """Prediction of a trained network; it is deterministic: one density for any number of starts.

    Args:
        checkpoint: Checkpoint file, run folder, whose best checkpoint is taken, or name of shipped weights.
        instantiate: Function that makes objects of configs with ``_target_``, such as hydra.utils.instantiate.
        name: Name of the method in tables.
        device: Device of the computation.

    Raises:
        UserError: No such run or checkpoint, or an unknown device.

    Source: Wu et al. (2021), "Supervised learning approach".
    """

    unit: ClassVar[str] = "epoch"
    checkpoint: Path
    instantiate: Callable[..., Any]
    name: Irrelevant[str] = "network"
    device: Irrelevant[str] = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoint", find_checkpoint(self.checkpoint))
        find_device(self.device)
        require_fingerprint(self)

    @cached_property
    def task(self) -> ComplexReconstruction:
        """Task of the checkpoint with its network, on the device; UserError for a checkpoint of another task."""
        return load_task(self.checkpoint, self.instantiate, ComplexReconstruction)[0].to(find_device(self.device))

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        """Predict the density of one pattern.

        Raises:
            UserError: The network cannot take patterns of this shape.
        """
        trace, task = Trace(), self.task
        pattern, mask = (values.to(task.device)[None, None] for values in (part.fourier_amplitude, part.mask))
        batch = {FOURIER_AMPLITUDE: pattern, MASK: mask, FRAME: torch.zeros(1, dtype=torch.int64)}
        remedy = "give data.size= the size it was trained at"
        with torch.inference_mode(), size_refused(self.name, self.checkpoint, part.mask.shape, remedy):
            predicted = task.predict_step(batch)
        amplitude, phase = (predicted[name].float() for name in (AMPLITUDE, PHASE))
        measured, masked = (torch.fft.ifftshift(values[:, 0], dim=(-3, -2, -1)) for values in (pattern, mask))
        trace.add(0, chi_square(pattern_modulus(amplitude, phase, pattern.shape), measured, masked))
        return VolumeRuns.of(torch.polar(amplitude[:, 0], phase[:, 0]), trace)


class _TraceCallback(pl.Callback):
    """Adds chi square of each answer to a trace after each training step, and reports it to a listener."""

    def __init__(self, trace: Trace, listener: Listener) -> None:
        self.trace, self.listener = trace, listener

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Add one row."""
        assert isinstance(pl_module, Refinement)
        if (refiner := pl_module.refiner) is not None:
            best = refiner.chi_square.view(pl_module.starts, -1).amin(1)  # of the candidates for each answer
            self.trace.add(refiner.epoch, best)
            self.listener.progress(refiner.epoch, pl_module.epochs, best)


@dataclass(frozen=True)
class RefinementSettings:
    """Settings from which the task of a refinement and its callbacks are made for every answer.

    Attributes:
        task: Resolved configuration of a tasks.Refinement.
        callbacks: Configurations of callbacks that end it early.
        instantiate: Function that makes objects of configs with ``_target_``, such as hydra.utils.instantiate.
        checkpoint: Checkpoint file whose weights all networks start from; None: random ones, others for every start.
    """

    task: Mapping[str, Any]
    callbacks: Sequence[Mapping[str, Any]]
    instantiate: Callable[..., Any]
    checkpoint: Path | None = None

    @cached_property
    def weights(self) -> dict[str, Any]:
        """Weights of the checkpoint; UserError where it holds no network that can be refined."""
        return read_start(str(self.checkpoint), self.task["_target_"], Refinement.starts_from)[1]

    def make(self, part: VolumePart) -> tuple[Refinement, list[pl.Callback]]:
        """Task and callbacks for one pattern; one start where a checkpoint makes all starts alike."""
        starts = part.starts if self.checkpoint is None else 1
        settings = {**self.task, "starts": starts, "seed": part.seed}
        if part.float64:
            settings["float64"] = True
        pl.seed_everything(part.seed, verbose=False)
        task: Refinement = self.instantiate(settings, _convert_="all")
        if self.checkpoint is not None:
            task.load_state_dict(self.weights)
        return task, [self.instantiate(one) for one in self.callbacks]


@dataclass(frozen=True)
class Then:
    """Recipe of iterations that start from a network's density.

    Attributes:
        recipe: Recipe as phasing.read_recipe reads it; the first support is the network's box.
        polish_steps: Number of L-BFGS steps within the last support.
        point_spread: Initial width of the blur by partial coherence, pixels, see IterativeVolume; None: none.
    """

    recipe: str
    polish_steps: int = 200
    point_spread: float | None = None

    def __post_init__(self) -> None:
        read_recipe(self.recipe)
        require_width(self.point_spread, "then.point_spread")


@dataclass(frozen=True)
class RefinedNetwork:
    """Networks refined on the pattern as an experiment sets it up, all starts together; its polish included.

    Args:
        refinement: Settings of the refinement.
        name: Name of the method in tables.
        then: Recipe that starts from the refined density (network -> HIO/ER -> polish); None: no recipe.
        device: Device of the computation.

    Raises:
        UserError: An unknown device.

    Source: Wu et al. (2021), "Unsupervised learning approach"; ``then`` is not in the paper.
    """

    unit: ClassVar[str] = "epoch"
    refinement: RefinementSettings
    name: Irrelevant[str] = "refined_network"
    then: Then | None = None
    device: Irrelevant[str] = "auto"

    def __post_init__(self) -> None:
        find_device(self.device)
        require_fingerprint(self)

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        """Refine the networks on one pattern, polish, and run the recipe ``then`` if there is one."""
        trace = Trace()
        found = self._refined(part, trace, listener)
        density = found[DENSITY].to(find_device(self.device))
        if self.then is not None:
            return self._continued(density, part, self.then, trace, listener)
        return VolumeRuns.of(density, trace, found.get("free_voxels"), found.get("point_spread"))

    def _refined(self, part: VolumePart, trace: Trace, listener: Listener) -> dict[str, Tensor]:
        """Densities of a refinement and their numbers, as the task leaves them in ``reconstruction``."""
        task, callbacks = self.refinement.make(part)
        data = SingleVolumeDataModule.of_pattern(part.fourier_amplitude, part.mask)
        with warnings.catch_warnings(), quiet_lightning():
            warnings.simplefilter("ignore", UserWarning)  # those of Lightning
            warnings.simplefilter("always", NoteWarning)
            trainer = pl.Trainer(
                accelerator="gpu" if find_device(self.device).type == "cuda" else "cpu",
                devices=1,
                max_epochs=-1,
                logger=False,
                callbacks=[*callbacks, _TraceCallback(trace, listener)],
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(task, data)
            trainer.validate(task, data, verbose=False)
        if "polished_chi_square" in task.reconstruction:
            trace.add(trace.step[-1] + task.polish_steps, task.reconstruction["polished_chi_square"])
        return task.reconstruction

    def _continued(self, density: Tensor, part: VolumePart, then: Then, trace: Trace, listener: Listener) -> VolumeRuns:
        """Runs of the recipe and its polish from the densities (S, z, y, x) of the networks."""
        amplitude, mask = part.fourier_amplitude.to(density.device), part.mask.to(density.device)
        shape, start = tuple(amplitude.shape), density.to(torch.complex64)
        support = pad(torch.ones_like(density[0].real, dtype=torch.uint8), shape).bool()
        options = {"constraint": "complex", "starts": len(density), "start": pad(start, shape)}
        density, support = run_recipe(amplitude, mask, then.recipe, support, trace, listener, **options)
        polished, spread = polish_within(density, support, part, then.polish_steps, trace, then.point_spread)
        return VolumeRuns.of(cut_to_box(polished, support), trace, support.flatten(1).sum(1), spread)
