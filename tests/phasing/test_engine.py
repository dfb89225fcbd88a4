import torch
from torch import Tensor

from spi_lightning.phasing import phase
from spi_lightning.phasing.shrinkwrap import blurred
from spi_lightning.physics.fourier import fourier


def particle(size: int, ndim: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A positive density of irregular shape and its support, within the middle half of each axis."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size,) * ndim
    box = torch.zeros(shape, dtype=torch.bool)
    box[(slice(size // 4 + 1, 3 * size // 4 - 1),) * ndim] = True
    support = box & (blurred(torch.randn(shape, generator=generator), size / 12, ndim) > 0)
    return (0.1 + torch.rand(shape, generator=generator)) * support, support


def test_a_small_particle_is_recovered_from_random_phases() -> None:
    density, support = particle(32, 2)
    found = phase(fourier(density, 2).abs()[None], None, "300*HIO(0.9)", support=support, starts=4)
    away = (found.density - density).flatten(1).norm(dim=1) / density.norm()
    assert float(away.min()) < 1e-4
    assert found.error.shape == (300, 4)
