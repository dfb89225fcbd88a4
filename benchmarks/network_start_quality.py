"""What the starting densities of benchmarks.network_start are worth before any phasing."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.network_start_data import Patterns
from spi_lightning.metrics.supports.support_overlap import free_asymmetry, phase_agreement, twin_agreement
from spi_lightning.physics.agreement import fourier_error

LISTED = ("correlation", "phase_agreement", "asymmetry", "lead", "misfit_10", "misfit_50", "misfit_90")


def quality(start: Tensor, patterns: Patterns) -> dict[str, float]:
    """Means over patterns, and quantiles of the misfit.

    Args:
        start: (P or P x S, H, W) real or complex; of complex ones, and complex truths, the moduli are compared.
        patterns: P of them.

    Returns:
        correlation with the truth, phase_agreement, asymmetry, and lead (the correlation with the nearer twin less that
        with the other); misfit_10, _50, _90: relative Fourier error beyond that of the noise.
    """
    density, many = start.abs(), len(start) // len(patterns.mask)
    truth, amplitude, mask, noise = (
        each.repeat_interleave(many, 0)
        for each in (patterns.density.abs(), patterns.fourier_amplitude, patterns.mask, patterns.noise)
    )
    one, other = twin_agreement(density, truth)
    misfit = beyond_noise(fourier_error(start, amplitude, mask), noise)
    notes = {
        "correlation": torch.maximum(one, other),
        "phase_agreement": phase_agreement(density, truth),
        "asymmetry": free_asymmetry(density),
        "lead": (one - other).abs(),
    }
    shares = {f"misfit_{percent}": float(misfit.quantile(percent / 100)) for percent in (10, 50, 90)}
    return {name: float(value.mean()) for name, value in notes.items()} | shares


def beyond_noise(error: Tensor, noise: Tensor) -> Tensor:
    """Relative Fourier error less that of the noise, in squares: (P,) each."""
    return (error.square() - noise.square()).clamp_min(0).sqrt()


def show_quality(rows: dict[str, dict[str, Any]]) -> None:
    """Print one row for each kind of start."""
    print(f"{'start':20s}" + "".join(f"{name:>17s}" for name in LISTED))
    for name, row in rows.items():
        print(f"{name:20s}" + "".join(f"{row[column]:17.3f}" for column in LISTED), flush=True)
