"""What phasing is begun with in the benchmarks: a network's density, the blurred truth, a circle."""

from pathlib import Path

import torch
from hydra.utils import instantiate
from torch import Tensor

from benchmarks.network_start_data import Patterns
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, KNOWN_SUPPORT, MASK, SUPPORT, Batch
from spi_lightning.phasing.shrinkwrap import blurred
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import autocorrelation_support
from spi_lightning.tasks import SupportPrediction, load_task

CUT = 1e-3  # of the largest autocorrelation, of patterns without noise


def network_answer(run: str, patterns: Patterns, samples: int = 1, known: Tensor | None = None) -> Batch:
    """What a network answers, the best of some samples: density (P, H, W), 0 to 1, and support (P, H, W) bool.

    known: (P, H, W) bool, supports inside which it answers.
    """
    task, _ = load_task(Path(run), instantiate, SupportPrediction)
    task.samples = samples
    batch = {
        INTENSITY: patterns.fourier_amplitude.square()[:, None],
        MASK: patterns.mask[:, None],
        FRAME: torch.arange(len(patterns.mask)),
    }
    if known is not None:
        batch[KNOWN_SUPPORT] = known[:, None]
    with torch.no_grad():
        answer = task.predict_step(batch)
    size = patterns.mask.shape[-2:]
    return {name: answer[name].reshape(-1, *size) for name in (DENSITY, SUPPORT)}


def network_density(run: str, patterns: Patterns, samples: int = 1, known: Tensor | None = None) -> Tensor:
    """The density a network answers, (P, H, W), in the scale of the amplitudes."""
    density = network_answer(run, patterns, samples, known)[DENSITY].float().clamp_min(0)
    spectrum = fourier(density, 2).abs() * patterns.mask
    scale = (patterns.fourier_amplitude * spectrum).sum((-2, -1)) / spectrum.square().sum((-2, -1)).clamp_min(1e-12)
    return density * scale[:, None, None]


def blurred_truth(density: Tensor, sigma: float) -> Tensor:
    """Real or complex densities (P, H, W) after a Gaussian of sigma pixels."""
    if density.is_complex():
        return torch.complex(blurred(density.real, sigma, 2), blurred(density.imag, sigma, 2))
    return blurred(density, sigma, 2)


def circles(intensity: Tensor, mask: Tensor) -> Tensor:
    """Discs (P, H, W) as wide as the particle's greatest elongation, half that of its autocorrelation."""
    region, _ = autocorrelation_support(intensity, mask, CUT)
    along = (torch.arange(n) - n // 2 for n in region.shape[1:])
    y, x = torch.meshgrid(*along, indexing="ij")
    squared = (y.square() + x.square()).expand(region.shape)
    farthest = torch.where(region, squared, 0).amax((-2, -1), keepdim=True)
    return squared <= farthest / 4
