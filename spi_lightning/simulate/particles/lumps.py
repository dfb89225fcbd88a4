"""Lumpy bodies like macromolecules: random sums of Gaussian densities, some of them rotational assemblies."""

from math import pi, sqrt
from typing import Final

import torch
from torch import Tensor

from spi_lightning.simulate.draws import Range, random_directions, recipe, uniform

_GYRATION: Final = sqrt(0.15)  # radius of gyration of a sphere of diameter 1
_REACH: Final = 2.5  # Gaussian widths around the outermost blob
_FOLDS: Final = (1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7)  # of the axis of an assembly; 1: none


@recipe
class Lumps:
    """A bank of random bodies, each a sum of Gaussian blobs with a sphere's radius of gyration, see shape.Family.

    Half of them are globules, the others assemblies of 2 to 7 equal parts around an axis, such as rings and barrels.

    Attributes:
        bank: Number of different bodies.
        blobs: Number of blobs of a body.
        seed: Seed of the bank.
        width: Range of the Gaussian width of the blobs over their mean spacing.
        roughness: Range of the relative departure of the outline from a ball.
    """

    bank: int = 512
    blobs: int = 42
    seed: int = 0
    width: Range = (0.35, 0.9)
    roughness: Range = (0.1, 0.45)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        centre = self._globules(generator)
        fold = torch.tensor(_FOLDS)[torch.randint(len(_FOLDS), (self.bank,), generator=generator)]
        centre = _assembled(centre, fold, generator)
        weight = (0.4 * torch.randn(self.bank, self.blobs, generator=generator)).exp()
        weight = weight / weight.sum(1, keepdim=True)
        centre = centre - (weight[..., None] * centre).sum(1, keepdim=True)
        spacing = (4 * pi / 3 / self.blobs) ** (1 / 3)
        width = spacing * uniform(self.width, (self.bank,), generator)
        gyration = ((weight * centre.square().sum(-1)).sum(1) + 3 * width.square()).sqrt()
        scale = _GYRATION / gyration
        self._centre, self._width, self._weight = centre * scale[:, None, None], width * scale, weight * pi / 6
        self.radius = float((self._centre.norm(dim=2).amax(1) + _REACH * self._width).max())

    def moments(self, form: Tensor, affine: Tensor, positions: Tensor, order: int) -> list[Tensor]:
        """Chord moments of the bodies ``form`` modulo the bank; a stretch moves the blobs, which stay round."""
        which = form % self.bank
        centre, width, weight = (part.to(affine)[which] for part in (self._centre, self._width, self._weight))
        z, y, x = torch.einsum("pij,pkj->pki", affine, centre).unbind(-1)
        along_y, along_x = (_gaussians(positions, middle, width) for middle in (y, x))
        powers = [weight, weight * z, weight * (z.square() + width[:, None].square())][: order + 1]
        return [(along_y * power[:, None]) @ along_x.transpose(1, 2) for power in powers]

    def _globules(self, generator: torch.Generator) -> Tensor:
        """Positions (bank, blobs, 3) in balls of radius about 1 with a rough outline."""
        count = self.bank * self.blobs
        direction = random_directions(count, generator).view(self.bank, self.blobs, 3)
        radius = torch.rand(self.bank, self.blobs, generator=generator) ** (1 / 3)
        wave = 3 * torch.randn(self.bank, 4, 3, generator=generator)
        phase = 2 * pi * torch.rand(self.bank, 1, 4, generator=generator)
        rough = torch.sin(torch.einsum("bki,bwi->bkw", direction, wave) + phase).mean(-1) * 2
        strength = uniform(self.roughness, (self.bank, 1), generator)
        return direction * (radius * (1 + strength * rough))[..., None]


def _gaussians(positions: Tensor, middle: Tensor, width: Tensor) -> Tensor:
    """Normalised Gaussians of positions (P, n) around (P, K) with widths (P,): (P, n, K)."""
    sigma = width[:, None, None]
    offset = (positions[:, :, None] - middle[:, None, :]) / sigma
    return (-0.5 * offset.square()).exp() / (sqrt(2 * pi) * sigma)


def _assembled(centre: Tensor, fold: Tensor, generator: torch.Generator) -> Tensor:
    """Globules (B, K, 3) divided into ``fold`` (B,) equal parts, shrunk and set around the z axis."""
    bodies, blobs, _ = centre.shape
    copy = torch.arange(blobs)[None] % fold[:, None]
    first = torch.arange(blobs)[None] - copy
    part = torch.gather(centre, 1, first[..., None].expand(-1, -1, 3))
    shrink = fold[:, None, None].float() ** (-1 / 3)
    ring = (0.75 + 0.35 * torch.rand(bodies, 1, generator=generator)) * (1 - shrink[:, :, 0])
    height = 0.8 + 0.8 * torch.rand(bodies, 1, generator=generator)
    z, y, x = (part * shrink).unbind(-1)
    z, x = torch.where(fold[:, None] > 1, z * height, z), x + 1.6 * ring
    angle = 2 * pi * copy / fold[:, None]
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([z, cosine * y + sine * x, cosine * x - sine * y], dim=-1)
