"""Curvature memory of L-BFGS for a batch of densities, and the search directions from it."""

import torch
from torch import Tensor

from .problem import wide


class CurvatureMemory:
    """Last steps and changes of the gradient, (B, z, y, x) each, for the two-loop recursion of L-BFGS."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, step: Tensor, change: Tensor) -> None:
        """Store a step and the change of the gradient, (B, z, y, x) each; ignored unless the curvature is positive."""
        curvature = inner(step, change)
        inverse = torch.where(curvature > 1e-30, 1 / curvature.clamp_min(1e-30), 0.0)
        self.pairs = [*self.pairs[-self.length + 1 :], (step, change, inverse)]

    def forget(self, where: Tensor) -> None:
        """Discard the stored curvature of the densities at ``where`` (B,) bool."""
        self.pairs = [(step, change, inverse.masked_fill(where, 0.0)) for step, change, inverse in self.pairs]

    def direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian times the gradient (B, z, y, x). Source: Nocedal & Wright (2006), Algorithm 7.4."""
        direction, factors = -gradient, []
        for step, change, inverse in reversed(self.pairs):
            factors.append(inverse * inner(step, direction))
            direction = direction - wide(factors[-1]) * change
        if self.pairs:
            _, change, inverse = self.pairs[-1]
            square = inner(change, change)
            known = (inverse > 0) & (square > 0)
            direction = direction * wide(torch.where(known, 1 / (inverse * square).clamp_min(1e-30), 1.0))
        for (step, change, inverse), factor in zip(self.pairs, reversed(factors), strict=True):
            direction = direction + wide(factor - inverse * inner(change, direction)) * step
        return direction


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Real inner products of complex densities, (B, z, y, x) each -> (B,)."""
    product: Tensor = (torch.view_as_real(one) * torch.view_as_real(other)).flatten(1).sum(1)
    return product
