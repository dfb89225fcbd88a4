"""Task of refinement: networks fitted to measured patterns, without ground truth."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FOURIER_AMPLITUDE, HELD_OUT, MASK, Batch
from spi_lightning.networks import ComplexEncoderDecoder, Members
from spi_lightning.notes import Note, NoteWarning
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.phasing.polishing.wrapped import Wrapping, polish_wrapped
from spi_lightning.physics.agreement import amplitude_errors, held_out_chi_square, predicted_amplitude
from spi_lightning.physics.array import box_around
from spi_lightning.tasks.optimisation import MakeOptimizer, MakeSchedule, Optimisation

from .refiner import FourierLossOf, Prior, Refiner, box_for, warn_of_the_box

COMPILED = (None, "default", "reduce-overhead", "max-autotune")


class Refinement(pl.LightningModule):
    """Refinement of networks on each pattern of a batch, all together, and polish of the densities.

    Reads fourier_amplitude, mask and held_out (B, 1, Z, Y, X). An epoch is one step, as in the paper; one training step
    of the trainer does ``epochs_per_step`` of them. Starts are random weights (untrained), or those of a checkpoint
    of a supervised training (transfer), which are the same for all.

    Args:
        network: Network of each member, whose box is set by ``box``.
        loss: Function of predicted and measured Fourier amplitudes, mask and share of the refinement -> (members,).
        optimizer: Constructor of an optimiser that treats numbers one by one (Adam, SGD).
        schedule: Constructor of a schedule that advances every epoch; None: constant.
        epochs: Largest number of epochs.
        epochs_per_step: Number of epochs between validations: progress, plateau, checkpoint.
        starts: Number of densities per pattern.
        candidates: Number of networks per density, of which the best one is polished and reported.
        box: Edges of the density, [z, y, x] voxel; ``autocorrelation``: the extent of the particle times ``margin``;
            ``half``: of the pattern, as in the paper.
        margin: Ratio of the box to the extent.
        polish_steps: Number of steps of L-BFGS on the best densities at the end; 0: none.
        wrapping: Options of the supports in the polish (its last_steps are ``polish_steps``); None: all of the box is
            free.
        float64: Whether to polish in float64, needed for chi square below about 1e-6.
        clip: Largest norm of the gradient of a member; None: no limit.
        seed: Seed of the random weights.
        prior: Function of densities (members, z, y, x) -> (members,), added to the loss, see losses.DensityPrior.
        compile: Mode of torch.compile for the networks (default, reduce-overhead, which replays CUDA graphs, or
            max-autotune); None: not compiled.

    Source: Wu et al. (2021), "Unsupervised learning approach". Departures: box, polish, and those
    named in conf.
    """

    starts_from = ("spi_lightning.tasks.ComplexReconstruction",)
    displayed = (
        "chi_square",
        "correlation",
        "correlation_modified",
        "held_out_chi_square",
        "polished_chi_square",
        "polished_correlation",
        "polished_correlation_modified",
        "polished_held_out_chi_square",
        "free_voxels",
    )

    def __init__(
        self,
        network: ComplexEncoderDecoder,
        loss: FourierLossOf,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        epochs: int = 600,
        epochs_per_step: int = 25,
        starts: int = 4,
        box: str | Sequence[int] = "autocorrelation",
        margin: float = 1.25,
        polish_steps: int = 200,
        float64: bool = False,
        clip: float | None = None,
        seed: int = 0,
        candidates: int = 1,
        wrapping: Wrapping | None = None,
        prior: Prior | None = None,
        compile: str | None = None,
    ) -> None:
        super().__init__()
        if min(epochs, epochs_per_step, starts, candidates) < 1 or margin <= 0:
            raise UserError("task: epochs, epochs_per_step, starts and candidates are 1 or more, margin is above 0")
        if polish_steps < 0:
            raise UserError(f"task.polish_steps={polish_steps}: give the steps of L-BFGS, or 0 for none")
        if isinstance(box, str) and box not in ("autocorrelation", "half"):
            raise UserError(f"task.box={box} is unknown: give autocorrelation, half or three numbers")
        if compile not in COMPILED:
            raise UserError(f"task.compile={compile} is unknown: give null, {', '.join(filter(None, COMPILED))}")
        if prior is not None and not callable(prior):
            raise UserError(f"task.prior={prior}: give task.prior.support= or task.prior.positivity= a weight, or null")
        self.automatic_optimization, self.compiled, self.prior = False, compile, prior or None
        self.prototype, self.loss, self.make_optimizer, self.make_schedule = (network,), loss, optimizer, schedule
        self.epochs, self.epochs_per_step, self.starts, self.seed = epochs, epochs_per_step, starts, seed
        self.box, self.margin, self.clip = box, margin, clip
        self.polish_steps, self.float64, self.trained = polish_steps, float64, False
        self.candidates, self.wrapping = candidates, wrapping
        self.members: Members | None = None
        self.refiner: Refiner | None = None
        self.restored: dict[str, Any] | None = None
        self.results: dict[str, Any] = {}
        self.reconstruction: dict[str, Tensor] = {}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Load the weights of a refinement, or those of a supervised training as the start of every member."""
        supervised = {name: value for name, value in state_dict.items() if name.startswith("network.")}
        if not supervised:
            return super().load_state_dict(state_dict, strict, assign)
        self.trained = True
        weights = {name.removeprefix("network."): value for name, value in supervised.items()}
        return self.prototype[0].load_state_dict(weights, strict)

    def setup(self, stage: str) -> None:
        """Determine the box from the patterns, and make the members."""
        if self.members is not None:
            return
        batch = self.trainer.datamodule.whole()  # type: ignore[attr-defined]
        network = self.prototype[0]
        network.box = box_for(batch[FOURIER_AMPLITUDE], self.box, self.margin)
        count = len(batch[FOURIER_AMPLITUDE]) * self.starts * self.candidates
        self.members = Members(network, count, self.seed, same=self.trained)
        if self.compiled is not None:
            self.members.compile(mode=self.compiled)

    def configure_optimizers(self) -> Any:
        """Optimiser of all members, and its schedule."""
        assert self.members is not None
        makers = (self.make_optimizer, self.make_schedule)
        made = Optimisation.of(makers, self.members.parameters(), self.trainer, "step", self.epochs)
        if isinstance(made.schedule, ReduceLROnPlateau):
            raise UserError("schedule: ReduceLROnPlateau waits for validations, a refinement has none; choose another")
        return made.optimizer if made.schedule is None else ([made.optimizer], [made.schedule])

    def on_fit_start(self) -> None:
        """Refuse several processes, each of which would do the whole work."""
        if self.trainer.world_size > 1:
            raise UserError("a refinement runs in one process: set trainer.devices=1 and raise task.starts instead")

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Epochs of one training step on the patterns."""
        refiner, optimizer = self._refiner(batch), self.optimizers()
        refiner.advance(self.epochs_per_step, self.manual_backward, optimizer.step)  # type: ignore[union-attr]
        for name in ("chi_square", "correlation"):
            self.log(name, getattr(refiner, name).median(), prog_bar=True)
        self.log("train/loss", refiner.best_chi_square.median())
        if refiner.epoch >= self.epochs:
            self.trainer.should_stop = True

    def _refiner(self, batch: Batch) -> Refiner:
        """Refiner of these patterns, made at the first step."""
        if self.refiner is None:
            assert self.members is not None
            optimizer, schedule = self.optimizers(use_pl_optimizer=False), self.lr_schedulers()
            copies = self.starts * self.candidates
            pattern, mask = (batch[name].repeat_interleave(copies, 0) for name in (FOURIER_AMPLITUDE, MASK))
            assert isinstance(optimizer, Optimizer) and not isinstance(schedule, list)
            self.refiner = Refiner(
                self.members, self.loss, optimizer, schedule, pattern, mask, self.epochs, self.clip, self.prior
            )
            if self.restored is not None:
                self.refiner.load_state_dict(self.restored)
        return self.refiner

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the best densities and the state of the refinement."""
        state = self.restored if self.refiner is None else self.refiner.state_dict()
        checkpoint["refiner"] = {} if state is None else state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the state of the refinement."""
        self.restored = checkpoint.get("refiner") or None
        if self.refiner is not None and self.restored is not None:
            self.refiner.load_state_dict(self.restored)

    def on_train_end(self) -> None:
        """Warn of starts that were rolled back."""
        if self.refiner is not None and self.refiner.rollbacks:
            times = self.refiner.rollbacks
            text = f"{times} times a start became NaN: it was rolled back and the learning rate halved"
            rank_zero_warn(NoteWarning(Note.of(text)))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Evaluate the best densities so far; polish them first at the end of the refinement."""
        state = self.refiner.state_dict() if self.refiner is not None else self.restored
        if state is None or state["best"] is None:
            return
        batch, spread = {name: values.repeat_interleave(self.starts, 0) for name, values in batch.items()}, None
        density = self._best_candidates(state).to(batch[MASK].device)
        numbers, free = self._judged(density, batch), density[0].new_full((len(density),), density[0].numel()).real
        if self.trainer.state.fn != TrainerFn.FITTING and self.polish_steps:
            warn_of_the_box(density)
            with torch.autocast(self.device.type, enabled=False):
                density, free, spread = self._polished(density, batch)
            judged = self._judged(density, batch, spread)
            numbers |= {f"polished_{name}": value for name, value in judged.items()}
        self._report(numbers | {"free_voxels": free}, density)
        if spread is not None:
            self.reconstruction["point_spread"] = spread
            self.results["val/point_spread"] = spread.quantile(0.5, 0).tolist()
            self.results["val/point_spread_of_each"] = spread.tolist()

    def _best_candidates(self, state: dict[str, Any]) -> Tensor:
        """Density (M, z, y, x) of the best candidate of each start."""
        best = state["best_chi_square"].view(-1, self.candidates).argmin(1)
        chosen: Tensor = state["best"].unflatten(0, (-1, self.candidates))[torch.arange(len(best)), best.cpu()]
        return chosen

    def _polished(self, density: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Polished densities (M, z, y, x), their free voxels (M,), and their point spreads (M, 3)."""
        pattern, mask = batch[FOURIER_AMPLITUDE][:, 0], batch[MASK][:, 0]
        if self.float64:
            density, pattern = density.to(torch.complex128), pattern.double()
        if self.wrapping is None:
            found = polish(density, pattern, mask, self.polish_steps).density
            return found, pattern.new_full((len(found),), found[0].numel()), None
        wrapped = polish_wrapped(density, pattern, mask, replace(self.wrapping, last_steps=self.polish_steps))
        self.results["val/support_growth"] = wrapped.growth
        free = wrapped.support.flatten(1).sum(1).to(pattern.dtype)
        box = (slice(None), *box_around(wrapped.support, 3))
        return wrapped.density[box].contiguous(), free, wrapped.point_spread

    def _judged(self, density: Tensor, batch: Batch, point_spread: Tensor | None = None) -> dict[str, Tensor]:
        """Metrics of each member, (M,), by name."""
        predicted = predicted_amplitude(density.to(torch.complex128), point_spread, batch[MASK].shape[-3:])
        measured, mask = batch[FOURIER_AMPLITUDE][:, 0], batch[MASK][:, 0]
        numbers = amplitude_errors(predicted, measured, mask)
        if batch[HELD_OUT].any():
            held_out = batch[HELD_OUT][:, 0]
            numbers["held_out_chi_square"] = held_out_chi_square(predicted, measured, mask, held_out)
        return numbers

    def _report(self, numbers: dict[str, Tensor], density: Tensor) -> None:
        """Log medians over the members; store all metrics in ``results`` and ``reconstruction``."""
        self.reconstruction = {DENSITY: density, **numbers}
        medians = {name: value.median().item() for name, value in numbers.items()}
        medians["loss"] = medians["chi_square"]
        self.results |= {f"val/{name}": value for name, value in medians.items()}
        self.results |= {f"val/{name}_of_each": value.tolist() for name, value in numbers.items()}
        self.log_dict({f"val/{name}": value for name, value in medians.items()}, batch_size=len(density))
