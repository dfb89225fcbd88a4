"""Poisson likelihood of photon counts for predicted Fourier amplitudes."""

import torch
from torch import Tensor


def poisson_deviance(
    predicted: Tensor, measured: Tensor, mask: Tensor, background: float = 1e-2, scaled: bool = True
) -> Tensor:
    """Mean Poisson deviance per measured voxel, (B, ...) -> (B,); 0 if the expected intensity equals the counts.

    With I = predicted^2 the expected photons and n = measured^2 the counted ones, the deviance is
    2 [I - n + n log(n / I)], twice the distance of the log-likelihood from its maximum.

    Args:
        predicted, measured: (B, ...) Fourier amplitudes, sqrt(photons).
        mask: (B, ...) bool, True where the detector measured.
        background: Photons per voxel added to both, so that dark voxels have a finite likelihood.
        scaled: Whether to scale the total intensity to the measured one, which maximises the likelihood over the scale.
    """
    intensity, counts = predicted.square(), measured.square()
    if scaled:
        total = (mask * counts).flatten(1).sum(1)
        tiny = torch.finfo(total.dtype).tiny
        scale = total / (mask * intensity).flatten(1).sum(1).clamp_min(1e-20 * total + tiny)
        intensity = intensity * scale.view(-1, *[1] * (intensity.ndim - 1))
    intensity, counts = intensity + background, counts + background
    deviance = 2 * (intensity - counts + counts * (counts / intensity).log())
    return (mask * deviance).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp_min(1)
