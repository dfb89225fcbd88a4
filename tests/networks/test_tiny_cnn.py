import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.networks import TinyCNN


def rings(patterns: int, size: int = 64) -> torch.Tensor:
    """Square roots of Poisson counts of sphere-like patterns, every second one with two-particle fringes."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(size) - size // 2, torch.arange(size) - size // 2, indexing="ij")
    radius = torch.hypot(y.double(), x.double())
    draws = torch.rand(patterns, 2, generator=generator, dtype=torch.float64)
    q = radius[None] * (0.1 + 0.3 * draws[:, 0, None, None]) + 1e-3
    intensity = (3 * (q.sin() - q * q.cos()) / q**3) ** 2
    intensity[1::2] *= 1 + torch.cos(0.5 * x)
    intensity *= 10 ** (3.5 + 1.2 * draws[:, 1, None, None]) / intensity.sum((1, 2), keepdim=True)
    return torch.poisson(intensity + 0.02, generator=generator).sqrt().float()[:, None]


@pytest.mark.parametrize(("variant", "parameters"), [("tied316", 316), ("standard", 473), ("no_bias", 460)])
def test_each_reading_has_its_published_count(variant: str, parameters: int) -> None:
    assert sum(p.numel() for p in TinyCNN(variant).parameters()) == parameters


@pytest.mark.parametrize("variant", ["tied316", "standard", "no_bias"])
def test_none_of_fifty_seeds_starts_dead(variant: str) -> None:
    patterns = rings(16)
    for seed in range(50):
        torch.manual_seed(seed)
        network = TinyCNN(variant)
        logits = network(patterns)
        logits.square().sum().backward()
        gradients = [p.grad.norm().item() for name, p in network.named_parameters() if "bias" not in name]
        assert logits.std() > 1e-3, seed
        assert min(gradients) > 1e-4, seed


def test_head_of_features_is_the_answer() -> None:
    network, patterns = TinyCNN(in_channels=2, classes=5), torch.rand(3, 2, 64, 64)
    assert network.features(patterns).shape == (3, 2)
    torch.testing.assert_close(network.head(network.features(patterns)), network(patterns))


def test_another_size_is_refused_with_the_setting() -> None:
    with pytest.raises(UserError, match="preprocess"):
        TinyCNN()(torch.zeros(1, 1, 128, 128))
    with pytest.raises(UserError, match="tied316"):
        TinyCNN("317")  # type: ignore[arg-type]
