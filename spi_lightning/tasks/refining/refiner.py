"""Inner loop of a refinement: fit of networks to measured patterns, and the box of their density."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from spi_lightning.errors import UserError
from spi_lightning.notes import Note, NoteWarning
from spi_lightning.physics.agreement import chi_square, pearson
from spi_lightning.physics.oversampling import estimate_oversampling

FourierLossOf = Callable[[Tensor, Tensor, Tensor, float], Tensor]
Prior = Callable[[Tensor], Tensor]
AXES = (-3, -2, -1)


class Refiner:
    """Refinement of members on their patterns, one epoch (one step) after another, with the best density of each.

    The moduli of the transform do not depend on the position of the box in the array, so the box lies in the corner;
    the patterns are moved to the corner once. A member whose loss or weights become NaN returns to its state at the
    call of advance(), and all continue at half the learning rate.

    Args:
        members: Module of class networks.Members: patterns (M, 1, Z, Y, X) -> amplitude and phase (M, 1, z, y, x).
        loss: Function of predicted and measured Fourier amplitudes (M, Z, Y, X), mask and share of the epochs -> (M,).
        optimizer: Optimiser of the weights of ``members``.
        schedule: Schedule that advances after each epoch, or None.
        fourier_amplitude: (M, 1, Z, Y, X) sqrt(photons), origin at n // 2.
        mask: (M, 1, Z, Y, X) bool, True = measured and not held out.
        epochs: Number of epochs of the whole refinement, for the share that the loss receives.
        clip: Largest norm of the gradient of a member; None: no limit.
        prior: Function of densities (M, z, y, x) complex -> (M,), added to the loss; None: none.

    Attributes:
        epoch: Number of epochs done.
        best: (M, z, y, x) complex64, best density of each member so far.
        best_chi_square: (M,) chi square of the best densities.
        rate: Factor of the learning rate after roll backs.
        rollbacks: Number of roll backs so far.
        chi_square, correlation: (M,) values of the last epoch, r_p signed.

    Source: Wu et al. (2021), "Unsupervised learning approach".
    """

    def __init__(
        self,
        members: nn.Module,
        loss: FourierLossOf,
        optimizer: Optimizer,
        schedule: LRScheduler | None,
        fourier_amplitude: Tensor,
        mask: Tensor,
        epochs: int,
        clip: float | None = None,
        prior: Prior | None = None,
    ) -> None:
        self.members, self.loss, self.optimizer, self.schedule = members, loss, optimizer, schedule
        self.pattern, self.epochs, self.clip = fourier_amplitude * mask, epochs, clip
        self.prior = prior
        self.measured = torch.fft.ifftshift(self.pattern[:, 0], dim=AXES)
        self.mask = torch.fft.ifftshift(mask[:, 0], dim=AXES)
        count = len(self.pattern)
        self.epoch, self.rate, self.rollbacks = 0, 1.0, 0
        self.best: Tensor | None = None
        self.best_chi_square = self.measured.new_full((count,), torch.inf)
        self.chi_square, self.correlation = self.best_chi_square.clone(), self.best_chi_square.clone().fill_(torch.nan)

    def state_dict(self) -> dict[str, Any]:
        """State without weights and optimiser, as tensors and numbers."""
        counted = {name: getattr(self, name) for name in ("epoch", "rate", "rollbacks")}
        return counted | {"best": self.best, "best_chi_square": self.best_chi_square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state_dict()."""
        for name, value in state.items():
            setattr(self, name, value.to(self.measured.device) if isinstance(value, Tensor) else value)

    def answer(self) -> tuple[Tensor, Tensor]:
        """Densities (M, z, y, x) complex64 and the moduli of their transform (M, Z, Y, X), origin at index 0."""
        amplitude, phase = self.members(self.pattern)
        density = torch.polar(amplitude[:, 0].float(), phase[:, 0].float())
        return density, torch.fft.fftn(density, s=self.measured.shape[1:], dim=AXES, norm="ortho").abs()

    def advance(
        self,
        epochs: int,
        backward: Callable[[Tensor], Any] = torch.Tensor.backward,
        step: Callable[[], Any] | None = None,
    ) -> None:
        """Run some epochs.

        Args:
            epochs: Number of steps; fewer if the refinement ends before.
            backward: Function that computes the gradients of a scalar.
            step: Function for one step of the optimiser; None: its own.
        """
        safe = self._snapshot()
        for _ in range(min(epochs, self.epochs - self.epoch)):
            density, predicted = self.answer()
            loss = self.loss(predicted, self.measured, self.mask, self.epoch / self.epochs)
            if self.prior is not None:
                loss = loss + self.prior(density)
            self._evaluate(density.detach(), predicted.detach())
            self.optimizer.zero_grad()
            backward(loss.sum())
            broken = ~self._finite(loss)
            if broken.any():
                self._roll_back(safe, broken)
            else:
                self._clip()
                (step or self.optimizer.step)()
            self._next_epoch()
        self._heal(safe)

    @torch.no_grad()
    def _evaluate(self, density: Tensor, predicted: Tensor) -> None:
        """Keep densities (M, z, y, x) of lower chi square than before."""
        self.chi_square = chi_square(predicted, self.measured, self.mask)
        self.correlation = pearson(predicted, self.measured, self.mask)
        better = self.chi_square < self.best_chi_square
        kept = density if self.best is None else self.best
        self.best = torch.where(better[:, None, None, None], density, kept)
        self.best_chi_square = torch.where(better, self.chi_square, self.best_chi_square)

    def _next_epoch(self) -> None:
        self.epoch += 1
        if self.schedule is not None:
            self.schedule.step()
            for group, rate in zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True):
                group["lr"] = rate * self.rate

    @torch.no_grad()
    def _finite(self, loss: Tensor) -> Tensor:
        """Mask (M,) of members whose loss and gradients are finite."""
        fine = torch.isfinite(loss)
        for weight in self.members.parameters():
            if weight.grad is not None:
                fine &= torch.isfinite(weight.grad.flatten(1).sum(1))
        return fine

    @torch.no_grad()
    def _clip(self) -> None:
        """Scale the gradient of each member down to the norm ``clip``."""
        if self.clip is None:
            return
        gradients = [weight.grad for weight in self.members.parameters() if weight.grad is not None]
        norm = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
        factor = (self.clip / norm.clamp_min(1e-30)).clamp_max(1.0)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))

    def _tensors(self) -> list[Tensor]:
        """All weights and states of the optimiser with one part per member."""
        states = [self.optimizer, *getattr(self.optimizer, "members", [])]
        weights = list(self.members.parameters())
        kept = [value for one in states for state in one.state.values() for value in state.values()]
        shapes = {weight.shape for weight in weights}
        return [*weights, *(value for value in kept if isinstance(value, Tensor) and value.shape in shapes)]

    @torch.no_grad()
    def _snapshot(self) -> list[Tensor]:
        return [value.detach().clone() for value in self._tensors()]

    @torch.no_grad()
    def _roll_back(self, safe: list[Tensor], broken: Tensor) -> None:
        """Reset broken members to the snapshot (their state to 0 if it had none); halve the rate."""
        for number, value in enumerate(self._tensors()):
            value[broken] = safe[number][broken] if number < len(safe) else 0.0
        self.rate, self.rollbacks = self.rate / 2, self.rollbacks + 1
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr"] / 2

    @torch.no_grad()
    def _heal(self, safe: list[Tensor]) -> None:
        """Roll back members whose weights became NaN in the last step."""
        fine = torch.stack([torch.isfinite(w.flatten(1).sum(1)) for w in self.members.parameters()]).all(0)
        if not fine.all():
            self._roll_back(safe, ~fine)


_EDGE = 0.2  # amplitude at the faces of the box, over the largest, from which the particle counts as cut


def box_for(pattern: Tensor, box: str | Sequence[int], margin: float) -> tuple[int, int, int]:
    """Edges of the box along z, y, x, voxel.

    Args:
        pattern: Fourier amplitudes (B, 1, Z, Y, X), sqrt(photons), of one common box.
        box: Three numbers; ``autocorrelation``: the extent of the particle times ``margin``; ``half``: of the pattern.
        margin: Ratio of the box to the extent.

    Raises:
        UserError: The box is not three numbers, or larger than the pattern.
    """
    shape = pattern.shape[-3:]
    found = [estimate_oversampling(one[0].square()) for one in pattern]
    extent = [max(one.extent[axis] for one in found) for axis in range(3)]
    if box == "half":
        sides = [n // 2 for n in shape]
    elif box == "autocorrelation":
        sides = [min(n, math.ceil(side * margin)) for side, n in zip(extent, shape, strict=True)]
    else:
        sides = _stated_sides(box, shape)
    rank_zero_info(f"particle of {' x '.join(f'{side:.0f}' for side in extent)} voxels, box {sides} of {list(shape)}")
    tight = [axis for axis in range(3) if round(extent[axis], 1) > sides[axis]]  # as it is logged
    if tight:
        cut = ", ".join(f"{extent[axis]:.1f} voxels in {sides[axis]} along {'zyx'[axis]}" for axis in tight)
        whole = any(sides[axis] == shape[axis] for axis in tight)
        text = f"the particle is larger than its box, task.box={box}: {cut}; {_remedy(box, whole)}"
        rank_zero_warn(NoteWarning(Note.of(text)))
    return sides[0], sides[1], sides[2]


def _remedy(box: str | Sequence[int], whole: bool) -> str:
    """Remedy for a box that is too small; ``whole``: it is all of the pattern."""
    if whole:
        return "the pattern is sampled too coarsely there, give a smaller data.bin"
    return "raise task.margin" if box == "autocorrelation" else "give more voxels, or task.box=autocorrelation"


def _stated_sides(box: str | int | Sequence[int], shape: Sequence[int]) -> list[int]:
    """Edges of a box of three numbers or one, voxel."""
    sides = [int(side) for side in box] if isinstance(box, Sequence) and not isinstance(box, str) else []
    if len(sides) != 3 or any(not 1 <= side <= n for side, n in zip(sides, shape, strict=True)):
        raise UserError(f"task.box={box}: give three numbers from 1 to those of the pattern, {list(shape)}")
    return sides


def warn_of_the_box(density: Tensor) -> None:
    """Warn where the particle (M, z, y, x) fills its box from face to face.

    A particle at one face alone is complete, since a pattern does not determine its position.
    """
    amplitude = density.abs()
    level = _EDGE * amplitude.flatten(1).amax(1)
    full = []
    for axis, name in zip(AXES, "zyx", strict=True):
        emptier = torch.minimum(*(amplitude.select(axis, side).flatten(1).mean(1) for side in (0, -1)))
        if (emptier > level).float().mean() > 0.5:
            full.append(name)
    if full:
        text = (
            f"the particle fills its box along {', '.join(full)} from face to face and may be cut: raise task.margin, "
            "or give a larger task.box"
        )
        rank_zero_warn(NoteWarning(Note.of(text)))
