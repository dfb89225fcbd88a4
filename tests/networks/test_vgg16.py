from itertools import pairwise

import pytest
import torch
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.networks import VGG16
from spi_lightning.networks.vgg16 import LAYERS

TINY = {"widths": (2, 3, 4, 5, 6), "hidden": 7, "classes": 9}
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


@pytest.fixture(scope="module")
def full_size() -> VGG16:
    with torch.device("meta"):
        return VGG16()


def test_names_and_shapes_are_those_of_the_published_file(full_size: VGG16) -> None:
    published = {}
    for position, (before, after) in zip(CONVOLUTIONS, pairwise(WIDTHS), strict=True):
        published |= {f"features.{position}.weight": (after, before, 3, 3), f"features.{position}.bias": (after,)}
    for position, before, after in ((0, 25088, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        published |= {f"classifier.{position}.weight": (after, before), f"classifier.{position}.bias": (after,)}
    assert {name: tuple(value.shape) for name, value in full_size.state_dict().items()} == published
    assert sum(parameter.numel() for parameter in full_size.parameters()) == 138_357_544


def test_an_image_costs_the_published_number_of_multiplications(full_size: VGG16) -> None:
    cost = 0

    def count(module: nn.Module, arguments: object, output: torch.Tensor) -> None:
        nonlocal cost
        cost += output.numel() * module.weight[0].numel()

    for module in full_size.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    assert full_size(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 1000)
    assert cost == 15_470_264_320  # 15.5 GFLOPs wherever it is tabulated


def test_layer_names_lead_to_layers_with_a_relu_behind_them() -> None:
    modules = dict(VGG16(**TINY).named_modules())
    assert len(LAYERS) == 15 and LAYERS["conv1_1"] == "features.0" and LAYERS["conv5_3"] == "features.28"
    for module in LAYERS.values():
        block, position = module.split(".")
        assert isinstance(modules[module], nn.Conv2d | nn.Linear)
        assert isinstance(modules[f"{block}.{int(position) + 1}"], nn.ReLU)


def test_random_weights_depend_on_the_seed_alone_and_keep_the_size_of_activations() -> None:
    first, second, third = (VGG16(widths=(16, 16, 16, 16, 16), hidden=64).eval() for _ in range(3))
    first.randomise(1), second.randomise(1), third.randomise(2)
    image = torch.randn(4, 3, 64, 64)
    torch.testing.assert_close(first(image), second(image))
    assert not torch.allclose(first(image), third(image))
    assert 0.1 < first(image).std() < 10


def test_it_takes_the_tensors_of_a_file_even_into_a_network_without_memory() -> None:
    source = VGG16(**TINY).eval()
    with torch.device("meta"):
        network = VGG16(**TINY).eval()
    network.take({name: value.half() for name, value in source.state_dict().items()}, "a.pth")
    image = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network(image), source(image), atol=1e-2, rtol=1e-2)
    assert network.features[0].weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("classifier.6.bias"), "lacks classifier.6.bias"),
        (lambda w: w.update({f"features.{i}.running_mean": torch.ones(1) for i in range(5)}), "unknown .* and 2 more"),
        (
            lambda w: w.update({"features.0.weight": torch.ones(2, 3, 5, 5)}),
            r"features.0.weight is \(2, 3, 5, 5\), not",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named_in_one_line(change, message: str) -> None:
    weights = dict(VGG16(**TINY).state_dict())
    change(weights)
    with pytest.raises(UserError, match=rf"^a\.pth: not a VGG16 .*{message}") as error:
        VGG16(**TINY).take(weights, "a.pth")
    assert "\n" not in str(error.value)
