"""EfficientNet-Lite0: published counts, TensorFlow's padding, and names of its file."""

import pytest
import torch
import torch.nn.functional as F

from spi_lightning.errors import UserError
from spi_lightning.networks import EfficientNetLite0
from spi_lightning.networks.efficientnet_lite0 import SameConvolution


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return EfficientNetLite0().eval()


def test_weights_and_multiplications_are_the_published_numbers(network: EfficientNetLite0) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    assert len(network.blocks) == 16
    cost = 0

    def count(module: torch.nn.Module, arguments: object, output: torch.Tensor) -> None:
        nonlocal cost
        cost += output.numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(count) for module in network.modules() if hasattr(module, "weight")]
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    for hook in hooks:
        hook.remove()
    normalised = sum(m.num_features for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert normalised and cost == pytest.approx(0.385e9 + 1.4e7, rel=0.03)  # 385 million, and those of normalisations


def test_strided_convolutions_are_padded_as_by_tensorflow() -> None:
    convolution = SameConvolution(1, 1, 3, stride=2)
    with torch.no_grad():
        convolution.weight.copy_(torch.arange(9.0).reshape(1, 1, 3, 3))
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    expected = F.conv2d(F.pad(image, (0, 1, 0, 1)), convolution.weight, stride=2)  # no zeros above and to the left
    torch.testing.assert_close(convolution(image), expected)
    assert convolution(torch.zeros(1, 1, 5, 5)).shape[-2:] == (3, 3)


def test_names_of_the_file_lose_their_underscores(network: EfficientNetLite0) -> None:
    published = {}
    for name, value in network.state_dict().items():
        *modules, kind = name.split(".")
        published[".".join([*(word if word.isdigit() else f"_{word}" for word in modules), kind])] = value + 1
    assert "_blocks.3._depthwise_conv.weight" in published and "_bn0.running_var" in published
    other = EfficientNetLite0()
    other.take(published, "weights.pth")
    torch.testing.assert_close(other.conv_stem.weight, network.conv_stem.weight + 1)


def test_other_weights_are_refused(network: EfficientNetLite0) -> None:
    weights = dict(network.state_dict())
    with pytest.raises(UserError, match=r"w\.pth: not an EfficientNet-Lite0: .* fc\.bias"):
        EfficientNetLite0().take({name: value for name, value in weights.items() if name != "fc.bias"}, "w.pth")
    with pytest.raises(UserError, match=r"of another shape are fc\.weight"):
        EfficientNetLite0().take(weights | {"fc.weight": torch.zeros(7, 1280)}, "w.pth")
