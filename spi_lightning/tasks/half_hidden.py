"""Half-hidden true densities, from which training patterns of an iterative network start."""

import torch
from torch import Tensor

from spi_lightning.physics.phase_noise import with_phase_noise
from spi_lightning.physics.twin import twin

BLUR, NOISE = 3.0, 0.3  # largest standard deviations: pixel, and relative to the density
PHASE_NOISE = torch.pi  # largest standard deviation, rad


def half_hidden(density: Tensor, share: float) -> Tensor:
    """Starts of a share of a batch: the truth mixed with its twin, blurred and with multiplicative noise; else 0.

    Half of the starts have Gaussian errors of their Fourier phases too, up to random phases, so that the network is
    trained on what phasing finds from any start, and breaks the tie between twins either way.

    Args:
        density: (B, 1, H, W) true densities.
        share: Share of the patterns that get a start, 0 to 1.

    Returns:
        (B, 1, H, W) >= 0. The truth has a weight of 1/2 to 1 beside its twin, nearer to 1/2; blur, noise and
        phase errors are uniform up to BLUR, NOISE and PHASE_NOISE, from torch's default generator.
    """
    count, device = len(density), density.device
    weight = 0.5 + 0.5 * torch.rand(count, 1, 1, 1, device=device) ** 1.5
    start = blurred(
        weight * density + (1 - weight) * twin(density, 2), BLUR * torch.rand(count, 1, 1, 1, device=device)
    )
    grain = blurred(torch.randn_like(density), torch.full((count, 1, 1, 1), 2.0, device=device))
    grain = grain / grain.std(dim=(-2, -1), keepdim=True)
    start = (start * (1 + NOISE * torch.rand(count, 1, 1, 1, device=device) * grain)).clamp(min=0)
    radian = PHASE_NOISE * torch.rand(count, 1, 1, 1, device=device)
    radian = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.5, radian, 0)
    seed = int(torch.randint(2**31, ()))
    start = with_phase_noise(start[:, 0], 2, radian, 1, seed).clamp(min=0)
    started = torch.arange(count, device=device) >= round(count * (1 - share))
    return start * started[:, None, None, None]


def blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Convolve with Gaussians, periodic: (B, 1, H, W) with sigma (B, 1, 1, 1), pixel."""
    height, width = image.shape[-2:]
    squared = torch.fft.fftfreq(height, device=image.device)[:, None].square()
    squared = squared + torch.fft.rfftfreq(width, device=image.device).square()
    window = torch.exp(-2 * torch.pi**2 * sigma.square() * squared)
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * window, s=(height, width))
    return smooth
