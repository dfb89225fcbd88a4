import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.networks import ResNet10
from spi_lightning.tasks.frozen.backbone import activations


def test_layers_answer_what_the_network_passes_on() -> None:
    network = ResNet10(depths=(1, 2), widths=(4, 8)).eval()
    pattern = torch.rand(3, 1, 16, 16)
    found = activations(network, pattern, ["blocks.0", "stem"])
    assert list(found) == ["blocks.0", "stem"] and found["stem"].shape == (3, 4, 16, 16)
    torch.testing.assert_close(found["blocks.0"].mean(dim=(2, 3)), network.features(pattern))
    assert not any(module._forward_hooks for module in network.modules())


def test_an_unknown_layer_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"no layer stalk: choose among stem, .*blocks\.0.*head"):
        activations(ResNet10(depths=(1, 2), widths=(4, 8)), torch.rand(1, 1, 16, 16), ["stalk"])
