"""One iteration of EMC: expand the intensity into slices, maximise the likelihood, compress patterns into a new one.

The likelihood of counts K in a slice W of fluence phi is prod over pixels of Poisson(K; phi W). A pattern's probability
of an orientation is the likelihood to the power beta times the orientation's weight, over all orientations 1. The new
intensity is in each voxel the photons of all patterns over their exposures, each with its probability.
Source: Loh & Elser (2009), Phys. Rev. E 80, 026705; Loh et al. (2010), PRL 104, 225501 (fluence); Ayyer et al. (2016),
J. Appl. Cryst. 49, 1320 (annealing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from spi_lightning.physics.rotations.orientations import multiply_quaternions, rotation_matrices
from spi_lightning.physics.rotations.sampling import RotationSamples

from .interpolation import Interpolation
from .photons import PhotonMatrix

_FLOOR: Final = 1e-7  # of the mean, below which an expected intensity does not fall, since its logarithm is taken
_NEGLIGIBLE: Final = 1e-3  # probability of a pattern in all orientations together that are left out
_SLICES: Final = 1 << 22  # values of slices held at once
KEPT: Final = 100  # most probable orientations of each pattern that are kept


@dataclass(frozen=True)
class EmcProblem:
    """What EMC orients.

    Attributes:
        blocks: Counts of all patterns in their order, in blocks of as many as memory allows at once.
        interpolation: Interpolation at the P pixels that are merged, those that determine orientations first.
        correction: (P,) solid angle and polarisation factor of the pixels, relative to their mean.
        orienting: Number of pixels that determine orientations.
        samples: Sampled orientations and the point group.
        scaling: Whether fluences are found.
        friedel: Whether the intensity is symmetric under q -> -q.
    """

    blocks: tuple[PhotonMatrix, ...]
    interpolation: Interpolation
    correction: Tensor
    orienting: int
    samples: RotationSamples
    scaling: bool = True
    friedel: bool = True

    def photons(self) -> Tensor:
        """(N,) float64 photons of each pattern in the pixels that determine orientations."""
        return torch.cat([block.photons for block in self.blocks])

    def slices(self, intensity: Tensor, rotation: Tensor) -> Tensor:
        """(c, J) expected intensities in the pixels that determine orientations, positive."""
        slices = self.interpolation.expand(intensity, rotation, self.orienting) * self.correction[: self.orienting]
        return slices.clamp_min(_FLOOR * float(intensity.mean()))

    def rotations(self) -> list[tuple[slice, Tensor]]:
        """Sampled orientations in chunks: numbers, and matrices (c, 3, 3)."""
        matrices = rotation_matrices(self.samples.quaternion).to(self.correction)
        at_once = max(1, _SLICES // len(self.correction))
        return [(slice(i, i + at_once), matrices[i : i + at_once]) for i in range(0, len(matrices), at_once)]


@dataclass(frozen=True)
class EmcState:
    """All that passes from one iteration to the next.

    Attributes:
        intensity: (M, M, M) photons per pixel of mean solid angle in a pattern of mean fluence, ordered z, y, x.
        scale: (N,) float64 fluences relative to their mean.
    """

    intensity: Tensor
    scale: Tensor


@dataclass(frozen=True)
class EmcStep:
    """Result of one iteration.

    Attributes:
        state: Intensity and fluences after it.
        weight: (M, M, M) float64 exposure of each voxel; 0 where nothing was measured.
        orientation: (N,) most probable orientation of each pattern.
        candidate, probability: (N, k) most probable orientations, best first, and their probabilities.
        information: (N,) float64 mutual information of each pattern and its orientation, nat.
        likelihood: (N,) float64 expected log-likelihood of each pattern.
        change: Root mean square change of the intensity.
    """

    state: EmcState
    weight: Tensor
    orientation: Tensor
    candidate: Tensor
    probability: Tensor
    information: Tensor
    likelihood: Tensor
    change: float


def first_state(problem: EmcProblem, intensity: Tensor) -> EmcState:
    """State before the first iteration: an intensity whose slices hold, on average, the photons of a pattern."""
    photons = problem.photons()
    total = torch.cat([problem.slices(intensity, each).double().sum(dim=1) for _, each in problem.rotations()])
    mean = float(problem.samples.weight.to(total) @ total)
    scale = photons / photons.mean() if problem.scaling else torch.ones_like(photons)
    return EmcState(intensity * (float(photons.mean()) / mean), scale)


def iterate(problem: EmcProblem, state: EmcState, beta: Tensor, first: bool, alpha: float = 0.0) -> EmcStep:
    """One iteration of EMC.

    Fluences are renewed before the intensity, which is then merged with the new ones: renewed together, each from the
    old values of the other, a pattern and its slice would exchange brightness for ever.

    Args:
        problem: Patterns, pixels and sampled orientations.
        state: Intensity and fluences before it.
        beta: (N,) float64 exponents of the likelihood.
        first: Whether it is the first; in later ones, voxels without exposure keep their intensity.
        alpha: Share of the earlier intensity that is kept.
    """
    sums = (problem.interpolation.zeros(), problem.interpolation.zeros())
    found, start = [], 0
    for block in problem.blocks:
        patterns = slice(start, start + len(block))
        posterior = orientation_posterior(problem, block, state.intensity, state.scale[patterns], beta[patterns])
        part = posterior.summary()
        part["scale"] = block.photons / part["scale"] if problem.scaling else state.scale[patterns]
        _merge(problem, block, posterior.probability, part["scale"], sums)
        found.append(part)
        start = patterns.stop
    photons, exposure = (problem.interpolation.folded(each) for each in sums)
    if problem.friedel:
        photons, exposure = (each + each.flip(0, 1, 2) for each in (photons, exposure))
    kept = torch.zeros_like(photons) if first else state.intensity.double()
    merged = torch.where(exposure > 0, photons / exposure.clamp_min(torch.finfo(torch.float64).tiny), kept)
    merged = alpha * state.intensity.double() + (1 - alpha) * merged
    joined = {name: torch.cat([each[name] for each in found]) for name in found[0]}
    scale = joined.pop("scale")
    if problem.scaling:
        merged, scale = merged * scale.mean(), scale / scale.mean()
    change = float((merged - state.intensity.double()).square().mean().sqrt())
    return EmcStep(EmcState(merged.to(state.intensity), scale), exposure, **joined, change=change)


@dataclass(frozen=True)
class Posterior:
    """Probabilities of all orientations for the patterns of a block.

    Attributes:
        probability: (n, R) probabilities; 0 for those that are negligible.
        total: (R,) float64 photons of each slice.
        weight: (R,) float64 weights of the sampled orientations.
        likelihood: (n,) float64 expected log-likelihood of each pattern.
    """

    probability: Tensor
    total: Tensor
    weight: Tensor
    likelihood: Tensor

    def summary(self) -> dict[str, Tensor]:
        """Arrays of EmcStep for these patterns; as scale, the photons that are expected of them at fluence 1."""
        top, candidate = self.probability.topk(min(KEPT, self.probability.shape[1]), dim=1)
        information, expected = [], []
        for rows in torch.split(self.probability, _rows(self.probability)):
            p = rows.double()
            information.append(torch.special.xlogy(p, p / self.weight).sum(dim=1))
            expected.append(p @ self.total)
        return {
            "orientation": candidate[:, 0],
            "candidate": candidate,
            "probability": top,
            "information": torch.cat(information),
            "likelihood": self.likelihood,
            "scale": torch.cat(expected),
        }


def orientation_posterior(
    problem: EmcProblem, block: PhotonMatrix, intensity: Tensor, scale: Tensor, beta: Tensor
) -> Posterior:
    """Probabilities of all orientations for the patterns of a block: w_r p(K | r)^beta, normalised.

    Logarithms of slices are taken relative to the mean slice, so that their products with counts keep their digits in
    single precision; what is common to all orientations is added in double precision.

    Args:
        problem: Patterns, pixels and sampled orientations.
        block: Counts of these patterns.
        intensity: (M, M, M) intensity.
        scale, beta: (n,) float64 fluences and exponents of these patterns.
    """
    weight = problem.samples.weight.to(scale)
    logs = torch.empty(len(block), len(weight), dtype=intensity.dtype, device=intensity.device)
    total = torch.empty_like(weight)
    reference = None
    for numbers, rotation in problem.rotations():
        slices = problem.slices(intensity, rotation)
        total[numbers] = slices.double().sum(dim=1)
        lit = slices[:, block.pixels]
        reference = lit.mean(dim=0) if reference is None else reference
        logs[:, numbers] = block.log_products((lit / reference).log_())
    assert reference is not None
    mean = float(weight @ total)
    common = block.log_products(reference.log()[None])[:, 0].double()
    common += torch.special.xlogy(block.photons, scale) - scale * mean - block.log_factorials
    likelihood = torch.empty_like(scale)
    for start in range(0, len(block), _rows(logs)):
        rows = slice(start, start + _rows(logs))
        log = logs[rows].double() - scale[rows, None] * (total - mean)
        p = (beta[rows, None] * log + weight.log()).softmax(dim=1)
        p = torch.where(p < _NEGLIGIBLE / p.shape[1], 0.0, p)
        p /= p.sum(dim=1, keepdim=True)
        likelihood[rows] = (p * log).sum(dim=1)
        logs[rows] = p.to(logs)
    return Posterior(logs, total, weight, likelihood + common)


def _rows(matrix: Tensor) -> int:
    """Number of rows of a matrix that are taken in double precision at once."""
    return max(1, _SLICES // matrix.shape[1])


def _merge(
    problem: EmcProblem, block: PhotonMatrix, probability: Tensor, scale: Tensor, sums: tuple[Tensor, Tensor]
) -> None:
    """Add photons and exposures of the patterns of a block to the voxels, in all orientations with a probability."""
    for numbers, _ in problem.rotations():
        exposure = (scale @ probability[:, numbers].double()).to(probability)
        there = exposure.nonzero()[:, 0]
        if len(there) == 0:
            continue
        photons = block.weighted_sums(probability[:, numbers][:, there])
        exposures = exposure[there, None] * problem.correction
        quaternion = problem.samples.quaternion[numbers][there.cpu()]
        for symmetry in problem.samples.group:
            matrices = rotation_matrices(multiply_quaternions(quaternion, symmetry.expand_as(quaternion)))
            problem.interpolation.compress(sums, matrices.to(photons), photons, exposures)
