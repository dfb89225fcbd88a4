"""The inner loop of a refinement: weights are changed until what they answer diffracts like the measured pattern."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from spi_lightning.physics.agreement import chi_square, pearson

FourierLossOf = Callable[[Tensor, Tensor, Tensor, float], Tensor]
Prior = Callable[[Tensor], Tensor]
AXES = (-3, -2, -1)


class Refiner:
    """Refines members on their patterns, one epoch (one step) after another; remembers the best answer of each.

    Wherever the box of an answer lies in the array, the moduli of its transform are the same, so it is put into the
    corner; the patterns are brought to the corner once. A member whose loss or weights are no number any more goes
    back to where the call of advance() began, and all go on at half the learning rate.

    Args:
        members: networks.Members: patterns (M, 1, Z, Y, X) -> amplitude and phase (M, 1, z, y, x).
        loss: (predicted, measured, mask, share of the epochs done) -> (M,), on Fourier amplitudes (M, Z, Y, X).
        optimizer: Over the weights of ``members``.
        schedule: Moved on after each epoch.
        fourier_amplitude: (M, 1, Z, Y, X) sqrt(photons), origin at n // 2.
        mask: (M, 1, Z, Y, X) bool, True = measured and not held out.
        epochs: Of the whole refinement; the loss learns what share of them is done.
        clip: Largest norm of a member's gradient; not clipped if None.
        prior: Densities (M, z, y, x) complex -> (M,), added to the loss; none if None.

    Attributes:
        epoch: Epochs done.
        best: (M, z, y, x) complex64 densities, the best of each member so far; best_chi_square: (M,) theirs.
        rate: Factor of the learning rate left by roll backs; rollbacks: how many there were.
        chi_square, correlation: (M,) of the last epoch, r_p signed.

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
        """Everything but weights and optimiser, as tensors and numbers."""
        counted = {name: getattr(self, name) for name in ("epoch", "rate", "rollbacks")}
        return counted | {"best": self.best, "best_chi_square": self.best_chi_square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where state_dict() was taken."""
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
        """Go on for some epochs.

        Args:
            epochs: Number of steps; fewer are done where the refinement ends before.
            backward: Computes gradients of a scalar.
            step: One step of the optimiser; its own if None.
        """
        safe = self._snapshot()
        for _ in range(min(epochs, self.epochs - self.epoch)):
            density, predicted = self.answer()
            loss = self.loss(predicted, self.measured, self.mask, self.epoch / self.epochs)
            if self.prior is not None:
                loss = loss + self.prior(density)
            self._judge(density.detach(), predicted.detach())
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
    def _judge(self, density: Tensor, predicted: Tensor) -> None:
        """Keep what is better than before."""
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
        """(M,) True where loss and all gradients are numbers."""
        fine = torch.isfinite(loss)
        for weight in self.members.parameters():
            if weight.grad is not None:
                fine &= torch.isfinite(weight.grad.flatten(1).sum(1))
        return fine

    @torch.no_grad()
    def _clip(self) -> None:
        """Scale each member's gradient down to the norm ``clip``."""
        if self.clip is None:
            return
        gradients = [weight.grad for weight in self.members.parameters() if weight.grad is not None]
        norm = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0).sqrt()
        factor = (self.clip / norm.clamp_min(1e-30)).clamp_max(1.0)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))

    def _tensors(self) -> list[Tensor]:
        """All weights and states of the optimiser that have one part per member."""
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
        """Bring broken members back to the snapshot (their state to 0, if there was none yet); halve the rate."""
        for number, value in enumerate(self._tensors()):
            value[broken] = safe[number][broken] if number < len(safe) else 0.0
        self.rate, self.rollbacks = self.rate / 2, self.rollbacks + 1
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr"] / 2

    @torch.no_grad()
    def _heal(self, safe: list[Tensor]) -> None:
        """Roll back members whose last step broke their weights."""
        fine = torch.stack([torch.isfinite(w.flatten(1).sum(1)) for w in self.members.parameters()]).all(0)
        if not fine.all():
            self._roll_back(safe, ~fine)
