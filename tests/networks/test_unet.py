import pytest
import torch
from omegaconf import OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.networks import UNet


def test_five_levels_have_the_usual_count() -> None:
    network = UNet()
    assert sum(p.numel() for p in network.parameters()) == 31_030_593
    assert [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)] == [0.0, 0.0, 0.0, 0.5, 0.5]


def test_every_pixel_is_answered_and_every_weight_learns() -> None:
    torch.manual_seed(0)
    network = UNet((4, 6, 8), in_channels=2, candidates=2)
    answer = network(torch.rand(2, 2, 16, 24))
    assert answer.shape == (2, 2, 16, 24) and answer.abs().max() < 1
    answer.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert network.features(torch.rand(2, 2, 16, 24)).shape == (2, 8)


def test_pixels_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(UserError, match="multiple of 4"):
        UNet((4, 6, 8))(torch.zeros(1, 1, 18, 16))


def test_levels_may_come_from_a_configuration() -> None:
    network = UNet(OmegaConf.create([4, 6, 8]))
    assert network(torch.rand(1, 1, 8, 8)).shape == (1, 1, 8, 8)
