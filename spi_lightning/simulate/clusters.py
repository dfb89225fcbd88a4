"""Positions of the particles of one pattern: touching clusters and far pairs."""

import torch
from torch import Tensor

from .draws import random_directions

_TRIES = 12


def touching(diameter: Tensor, present: Tensor, gap: Tensor, generator: torch.Generator) -> Tensor:
    """Positions of touching clusters, grown by attaching each particle to an earlier one, without overlap if possible.

    Args:
        diameter: (B, J) diameters; any length unit.
        present: (B, J) bool, True for the particles a pattern has; these come first.
        gap: (B,) distance between neighbours over the sum of their radii; 1 is contact of spheres.
        generator: Random generator on the CPU.

    Returns:
        (B, J, 3) centres z, y, x around each cluster's mean; same unit.
    """
    patterns, slots = diameter.shape
    centre = torch.zeros(patterns, slots, 3)
    rows = torch.arange(patterns)
    for slot in range(1, slots):
        parent = (torch.rand(patterns, _TRIES, generator=generator) * slot).long()
        direction = random_directions(patterns * _TRIES, generator).view(patterns, _TRIES, 3)
        reach = gap[:, None] * (diameter[rows[:, None], parent] + diameter[:, slot, None]) / 2
        candidate = centre[rows[:, None], parent] + reach[..., None] * direction
        distance = (candidate[:, :, None] - centre[:, None, :slot]).norm(dim=-1)
        contact = (diameter[:, None, :slot] + diameter[:, slot, None, None]) / 2
        clearance = (distance / contact).amin(dim=2)
        best = torch.where(clearance > 0.95, clearance.new_tensor(2.0) - clearance, clearance - 2).argmax(dim=1)
        centre[:, slot] = candidate[rows, best]
    weight = present[..., None].float()
    return (centre - (centre * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)) * weight


def far_apart(separation: Tensor, generator: torch.Generator) -> Tensor:
    """Positions of two particles at a distance in a random direction: (B,) -> (B, 2, 3) centres z, y, x; same unit."""
    half = random_directions(len(separation), generator) * separation[:, None] / 2
    return torch.stack([half, -half], dim=1)
