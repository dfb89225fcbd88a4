"""Errors of reconstructed particles against the true ones, up to the twin."""

import torch
from torch import Tensor
from torchmetrics import Metric

from spi_lightning.losses import relative_rms
from spi_lightning.metrics.pattern_mean import PatternMean
from spi_lightning.phasing.align import alignment
from spi_lightning.physics.agreement import amplitude_errors
from spi_lightning.physics.twin import invert


def twin_target(amplitude: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
    """Twin of a particle: s(-r) and range - phi(-r) inside it, 0 outside.

    Args:
        amplitude, phase: (B, 1, z, y, x), phase from 0 to its range inside the particle (rad), 0 outside.

    Source: Wu et al. (2021), Methods: phases "scaled and shifted to [0, 1]", which the twin fills as well.
    """
    turned = invert(amplitude, 3)
    span = phase.flatten(1).amax(1).view(-1, *[1] * (phase.ndim - 1))
    return turned, torch.where(turned > 0, span - invert(phase, 3), 0.0)


def twin_floor(amplitude: Tensor, phase: Tensor, weights: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Tensor:
    """Lower bound of Eq. 6, on average over the two twins, for a prediction that does not distinguish them: (B,).

    By the triangle inequality each real-space term is at least half the distance of the twins; the Fourier term is 0.
    0.07 to 0.08 for 32 x 32 x 32 voxels and correlation lengths of 2 to 8, against the 0.031 that the paper reports.

    Args:
        amplitude, phase: True particles, (B, 1, z, y, x), as in twin_target.
        weights: Weights of amplitude, phase and Fourier amplitude.

    Source: Wu et al. (2021), Eq. 6; the bound is not in the paper.
    """
    other_amplitude, other_phase = twin_target(amplitude, phase)
    first = (amplitude - other_amplitude).flatten(1).norm(dim=1) / (2 * amplitude.flatten(1).norm(dim=1))
    spread = (phase - other_phase).flatten(1).norm(dim=1)
    norm = torch.maximum(phase.flatten(1).norm(dim=1), other_phase.flatten(1).norm(dim=1))
    second = spread / (2 * norm.clamp_min(1e-30))
    floor: Tensor = (weights[0] * first + weights[1] * second) / sum(weights)
    return floor


def aligned_density_error(density: Tensor, truth: Tensor) -> Tensor:
    """Relative error of densities after alignment of shift, twin, global phase and scale: (B, ...) -> (B,).

    ||rho - truth|| / ||truth|| at the best real factor, with sub-voxel shifts; arrays (B, z, y, x) large enough that
    shifts do not wrap.
    """
    overlap = alignment(density, truth, subpixel=True).overlap.clamp(0, 1)
    return (1 - overlap.square()).sqrt()


class VolumeMetrics(Metric):
    """Mean errors of amplitude and phase, of the better twin, and of the Fourier amplitudes.

    ``eq_6`` is the printed loss of the paper, ``eq_6_either_twin`` the smaller one of the two twins, ``twin_floor`` the
    lower bound for predictions that do not distinguish the twins (see twin_floor).
    """

    full_state_update = False
    names = (
        "eq_6",
        "eq_6_either_twin",
        "twin_floor",
        "amplitude_error",
        "phase_error",
        "chi_square",
        "correlation",
        "correlation_modified",
    )

    def __init__(self) -> None:
        super().__init__()
        for name in self.names:
            setattr(self, name, PatternMean())

    def update(
        self,
        answer: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        predicted: Tensor,
        measured: Tensor,
        mask: Tensor,
    ) -> None:
        """Add patterns: predicted and true amplitude and phase (B, 1, z, y, x), Fourier amplitudes and mask."""
        errors = amplitude_errors(predicted, measured, mask)
        last = 1 - errors["correlation_modified"]
        first, second = (relative_rms(one, other) for one, other in zip(answer, target, strict=True))
        turned = [relative_rms(one, other) for one, other in zip(answer, twin_target(*target), strict=True)]
        literal = (first + second + last) / 3
        values = {
            "eq_6": literal,
            "eq_6_either_twin": torch.minimum(literal, (turned[0] + turned[1] + last) / 3),
            "twin_floor": twin_floor(*target),
            "amplitude_error": first,
            "phase_error": second,
            **errors,
        }
        for name, value in values.items():
            getattr(self, name).update(value)

    def compute(self) -> dict[str, Tensor]:
        """Means over all patterns so far, one scalar per name."""
        return {name: getattr(self, name).compute() for name in self.names}

    def reset(self) -> None:
        """Discard all patterns."""
        super().reset()
        for name in self.names:
            getattr(self, name).reset()
