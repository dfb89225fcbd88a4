"""What the true density itself reaches in a support of given volume: the limit set by the support, not the search."""

import torch
from torch import Tensor

from benchmarks.volume_network.judging import Row, judged, store, summary
from benchmarks.volume_network.methods import Found, iterative
from spi_lightning.phasing import hold_out
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.phasing.shrinkwrap import largest_voxels
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.simulate.particles.crystals import CrystalRecipe, DislocationRecipe
from spi_lightning.simulate.particles.phase_field import PhaseRecipe
from spi_lightning.simulate.volumes import VolumeSimulator, embed

GROWTHS = (1.0, 1.25, 1.7, 2.5, 4.0)


def cut_crystals(size: int = 32, count: int = 6, peak: float = 1e6) -> tuple[Tensor, Tensor]:
    """Faceted strained crystals known up to the edge of the array, as the measured ones are.

    Returns:
        Fourier amplitudes (N, size, size, size) of Poisson counts, largest expected count ``peak``, cut from patterns
        of twice the edge; the densities that the noise-free ones are the transforms of.
    """
    strain = DislocationRecipe(smooth=PhaseRecipe((0.125, 0.5), (0.5, 3.0)), probability=0.2)
    body = CrystalRecipe(size=(0.4, 0.8))
    simulator = VolumeSimulator(body, strain, size=2 * size, object_size=size, block_size=count)
    density = torch.polar(*simulator.particles(0, seed=77))
    middle = slice(size // 2, size // 2 + size)
    spectrum = fourier(embed(density, 2 * size), ndim=3)[:, middle, middle, middle]
    intensity = spectrum.abs().square()
    expected = peak * intensity / intensity.flatten(1).amax(1)[:, None, None, None]
    drawn = torch.poisson(expected, generator=torch.Generator().manual_seed(5))
    return drawn.sqrt(), inverse_fourier(spectrum, 3)


def limit(size: int = 32, count: int = 6) -> Row:
    """The recipe's errors, and those of the true density polished in its own largest voxels."""
    patterns, truths = cut_crystals(size, count)
    runs: dict[str, list[Row]] = {}
    for number, (pattern, truth) in enumerate(zip(patterns, truths, strict=True)):
        mask = torch.ones_like(pattern, dtype=torch.bool)
        fitted, held_out = hold_out(mask, 0.05, 100 + number, ndim=3, pairs=False)
        found = {"iterative": iterative(pattern, fitted, 3)}
        voxels = found["iterative"].voxels.float().mean()[None]
        for growth in GROWTHS:
            support = largest_voxels(truth[None], growth * voxels)
            density = polish(truth[None], pattern[None], fitted[None], 200, support).density
            found[f"truth x {growth:g}"] = Found(density, support.flatten(1).sum(1), 0.0)
        for name, one in found.items():
            runs.setdefault(name, []).append(judged(one, pattern, fitted, held_out))
    results = {name: summary(rows) for name, rows in runs.items()}
    for name, row in results.items():
        cells = {key: row[key]["median"] for key in ("chi_square", "held_out_chi_square", "voxels")}
        print(f"{name:14s}", {key: round(value, 5) for key, value in cells.items()}, flush=True)
    store(f"limit_{size}", results)
    return results
