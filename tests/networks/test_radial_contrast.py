"""Contrast against the radial mean."""

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.networks import ResNet10, TinyCNN
from spi_lightning.networks.radial_contrast import radial_contrast


def test_a_round_pattern_has_no_contrast_and_a_fringe_has_its_own() -> None:
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    round_pattern = 1e4 / (1 + torch.hypot(y, x).round()) ** 2
    fringe = 1 + 0.5 * torch.cos(x)
    mask = torch.rand(64, 64, generator=torch.Generator().manual_seed(0)) > 0.1
    photons = torch.stack([round_pattern, round_pattern * fringe]) * mask
    contrast = radial_contrast(torch.stack([photons.log1p(), mask.expand(2, 64, 64).float()], dim=1))
    assert contrast.shape == (2, 1, 64, 64) and contrast[0].abs().max() < 1e-4
    assert (contrast[:, 0, ~mask] == 0).all()
    far = mask & (torch.hypot(y, x) > 10) & (torch.hypot(y, x) < 30)
    torch.testing.assert_close(contrast[1, 0][far], fringe.log()[far], atol=0.2, rtol=0)


def test_a_network_takes_it_as_a_further_channel() -> None:
    network = ResNet10(widths=(4, 8), in_channels=2, contrast=True).eval()
    assert network.stem[0].in_channels == 3
    pattern = torch.rand(2, 2, 32, 32).round()
    assert network(pattern).shape == (2,)
    for kind in (ResNet10, TinyCNN):
        with pytest.raises(UserError, match="in_channels=2"):
            kind(contrast=True)


def test_the_smallest_network_sees_the_contrast_alone_with_its_316_weights() -> None:
    network = TinyCNN(in_channels=2, contrast=True)
    assert sum(each.numel() for each in network.parameters()) == 316
    pattern = torch.rand(2, 2, 64, 64).round()
    direct = TinyCNN()
    direct.load_state_dict(network.state_dict())
    torch.testing.assert_close(network(pattern), direct(radial_contrast(pattern)))
