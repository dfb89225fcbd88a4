"""A crystal that is known, under Poisson noise: errors of phase and amplitude against the peak count."""

import os
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from benchmarks.volume_network.judging import Row, judged, store
from benchmarks.volume_network.methods import HYBRID, Found, gradient, iterative, network, polished
from spi_lightning.metrics.volumes.volume_fit import volume_truth
from spi_lightning.physics.array import crop
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.simulate.volumes import embed

PEAKS = (1e4, 1e5, 1e6, 1e7)
FIGURE = Path(__file__).parents[2] / "docs" / "images" / "volume_counts.png"
NAMES = {"iterative": "iterative recipe", "iterative_polished": "recipe + polish", "gradient": "gradient, no network"}


def known_crystal(size: int, array: int = 256) -> tuple[Tensor, Tensor]:
    """Transform and density (size, size, size) of the published S11 crystal, known up to the edge of the array."""
    folder = Path(os.environ.get("SPI_DATA", "../shared/data")) / "bragg"
    with h5py.File(folder / "id01_S11_reconstruction.h5") as file:
        amplitude, phase = (torch.from_numpy(file[name][()].astype("f4")) for name in ("amplitude", "phase"))
    whole = fourier(embed(torch.polar(amplitude, phase), array), ndim=3)
    spectrum = crop(whole, (size, size, size)).contiguous()
    return spectrum, inverse_fourier(spectrum, ndim=3)


def counts(size: int = 32, seeds: int = 3) -> Row:
    """The best of some seeds by the fit, as one would choose, and the medians over the seeds."""
    spectrum, truth = known_crystal(size)
    share = spectrum.abs().square() / spectrum.abs().square().max()
    mask = torch.ones_like(share, dtype=torch.bool)
    results: Row = {}
    for peak in PEAKS:
        pattern = torch.poisson(share * peak, generator=torch.Generator().manual_seed(11)).sqrt()
        recipe, start = iterative(pattern, mask, seeds), network(pattern, mask, seeds)
        found = {
            "iterative": recipe,
            "iterative_polished": polished(recipe, pattern, mask),
            "network_polished": polished(start, pattern, mask, HYBRID),
            "gradient": gradient(pattern, mask, seeds),
        }
        results[f"{peak:.0e}"] = {method: errors(one, pattern, mask, truth) for method, one in found.items()}
        for method, row in results[f"{peak:.0e}"].items():
            print(
                f"{peak:.0e} {method:20s}",
                row,
                flush=True,
            )
        store(f"counts_{size}", results)
    figure(results)
    return results


def errors(found: Found, pattern: Tensor, mask: Tensor, truth: Tensor) -> Row:
    """Numbers of one method at one count."""
    chi = judged(found, pattern, mask, ~mask)["chi_square"]
    compared = volume_truth(found.density, truth)
    phase, amplitude = compared["phase_rms"].tolist(), compared["amplitude_correlation"].tolist()
    best = int(np.argmin(chi))
    row = {"chi_square": chi[best], "phase_rms_rad": phase[best], "amplitude_correlation": amplitude[best]}
    return row | {
        "median_phase_rms_rad": float(np.median(phase)),
        "median_amplitude_correlation": float(np.median(amplitude)),
        "voxels": float(found.voxels.float().median()),
        "seconds": found.seconds,
    }


def figure(results: Row) -> None:
    """Both errors against the peak count."""
    plots, axes = plt.subplots(1, 2, figsize=(8.0, 3.5), layout="constrained")
    for name, axis, label in (
        ("phase_rms_rad", axes[0], "phase error, RMS (rad)"),
        ("amplitude_correlation", axes[1], "correlation of amplitudes"),
    ):
        for method in next(iter(results.values())):
            values = [row[method][name] for row in results.values()]
            axis.plot([float(peak) for peak in results], values, "o-", label=NAMES.get(method, "network + polish"))
        axis.set(xscale="log", xlabel="largest count (photons)", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].set_ylim(bottom=0)
    plots.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    plots.savefig(FIGURE, dpi=150)
    plt.close(plots)
