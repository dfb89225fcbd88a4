"""The 3D network: its blocks, its box, that no start is dead, and many members run as one."""

from typing import Any

import pytest
import torch
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.networks import ComplexEncoderDecoder, Members
from spi_lightning.networks.complex_encoder_decoder import Heads, VolumeBlock, normalisation, undying_relu


def small(**options: Any) -> ComplexEncoderDecoder:
    return ComplexEncoderDecoder(**({"width": 2, "levels": 2} | options))


def test_block_is_the_printed_one() -> None:
    layers = [type(layer).__name__ for layer in VolumeBlock(3, 5)]
    factorised = ["Conv3d"] * 3 + ["LeakyReLU", "SharedBatchNorm3d"]
    assert layers == ["Conv3d", "LeakyReLU", "SharedBatchNorm3d", *factorised]
    kernels = [layer.kernel_size for layer in VolumeBlock(3, 5) if isinstance(layer, nn.Conv3d)]
    assert kernels == [(3, 3, 3), (3, 1, 1), (1, 3, 1), (1, 1, 3)]
    only = [layer.kernel_size for layer in VolumeBlock(3, 5, factorised_only=True) if isinstance(layer, nn.Conv3d)]
    assert only == [(3, 1, 1), (1, 3, 1), (1, 1, 3)] * 2
    assert not [layer for layer in VolumeBlock(3, 5, norm="none").modules() if isinstance(layer, nn.BatchNorm3d)]


def test_weights_of_the_default() -> None:
    assert sum(weight.numel() for weight in ComplexEncoderDecoder().parameters()) == 4_664_098


@pytest.mark.parametrize(
    "options", [{}, {"skips": True}, {"source": "noise"}, {"source": "latent"}, {"heads": "bounded"}]
)
def test_answer_is_half_as_large_as_the_pattern(options: dict[str, Any]) -> None:
    for shape in ((16, 16, 16), (12, 17, 9)):
        amplitude, phase = small(**options)(torch.rand(2, 1, *shape))
        assert amplitude.shape == phase.shape == (2, 1, *(n // 2 for n in shape))
        assert torch.isfinite(amplitude).all() and torch.isfinite(phase).all()


@pytest.mark.parametrize("skips", [False, True])
def test_box_is_a_setting_and_needs_no_other_weights(skips: bool) -> None:
    network = small(skips=skips, levels=3)
    weights = {name: value.shape for name, value in network.state_dict().items()}
    for box in ((4, 9, 13), (16, 16, 16), (1, 2, 3)):
        other = small(skips=skips, levels=3, box=box)
        assert {name: value.shape for name, value in other.state_dict().items()} == weights
        assert other(torch.rand(1, 1, 16, 16, 16))[0].shape == (1, 1, *box)


def test_patterns_of_128_voxels() -> None:
    with torch.no_grad():
        assert ComplexEncoderDecoder(width=1, levels=5).eval()(torch.rand(1, 1, 128, 128, 128))[0].shape[-1] == 64


@pytest.mark.parametrize("scale", ["maximum", "mean", "root", "log"])
def test_brightness_does_not_matter(scale: str) -> None:
    network, pattern = small(scale=scale).eval(), torch.rand(2, 1, 8, 8, 8)
    torch.testing.assert_close(network(1e3 * pattern), network(pattern))


def test_fixed_noise_hides_the_pattern() -> None:
    for source in ("noise", "latent"):
        network = small(source=source).eval()
        torch.testing.assert_close(network(torch.rand(1, 1, 8, 8, 8)), network(torch.rand(1, 1, 8, 8, 8)))


def test_heads() -> None:
    raw = torch.linspace(-50, 50, 101)[None]
    amplitude, phase = Heads("bounded")(raw, raw)
    assert 0 <= amplitude.min() < 0.01 and 0.99 < amplitude.max() <= 1 and abs(phase).max() <= torch.pi + 1e-6
    amplitude, phase = Heads("relu", phase_scale=2.0)(raw, raw)
    assert torch.equal(amplitude, raw.relu()) and torch.equal(phase, 2 * raw.relu())


def test_relu_leaks_backwards_only() -> None:
    values = torch.tensor([-2.0, -0.1, 0.5], requires_grad=True)
    result = undying_relu(values, leak=0.25)
    result.sum().backward()
    assert torch.equal(result, values.relu()) and values.grad is not None
    assert values.grad.tolist() == [0.25, 0.25, 1.0]


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_none_of_twenty_starts_dies(norm: str) -> None:
    """At the paper's rate; half of them pushed below zero first, where a plain ReLU has no gradient any more."""
    pattern = torch.rand(20, 1, 4, 4, 4)
    members = Members(small(norm=norm), 20)
    with torch.no_grad():
        for name in ("amplitude_decoder|1|bias", "phase_decoder|1|bias"):
            members.weights[name][::2] = -1.5
    optimizer = torch.optim.Adam(members.parameters(), lr=0.01)
    amplitude, phase = members(pattern)
    assert (amplitude[::2].flatten(1).amax(1) == 0).sum() > 5
    for _ in range(150):
        loss = (amplitude - 0.8).square().sum() + (phase - 0.4).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        amplitude, phase = members(pattern)
    assert (amplitude.flatten(1).amax(1) > 0.2).all() and (phase.flatten(1).amax(1) > 0.1).all()


@pytest.mark.parametrize(
    "options", [{"norm": "none"}, {"norm": "batch"}, {"norm": "none", "source": "latent", "box": (3, 4, 5)}]
)
def test_members_answer_as_if_alone(options: dict[str, Any]) -> None:
    members, pattern = Members(small(**options), 3, seed=5), torch.rand(3, 1, 8, 8, 8)
    together = members(pattern)
    for number in range(3):
        network = small(**options)
        torch.manual_seed(5 + number)
        network.reset_parameters()
        alone = network(pattern[number : number + 1])
        for one, all_of_them in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_of_them[number], rtol=1e-4, atol=1e-5)


def test_steps_of_members_are_independent() -> None:
    pattern = torch.rand(2, 1, 8, 8, 8)

    def trained(count: int, seed: int) -> Members:
        members = Members(small(norm="none"), count, seed)
        optimizer = torch.optim.Adam(members.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            (members(pattern[2 - count :])[0] - 0.2).square().flatten(1).mean(1).sum().backward()
            optimizer.step()
        return members

    both, second = trained(2, seed=0), trained(1, seed=1)
    for name, weight in second.weights.items():
        torch.testing.assert_close(both.weights[name][1], weight[0], rtol=1e-3, atol=1e-4)


def test_members_can_start_from_one_trained_network() -> None:
    network, pattern = small(norm="none"), torch.rand(1, 1, 8, 8, 8)
    answers = Members(network, 2, same=True)(pattern.expand(2, 1, 8, 8, 8))
    torch.testing.assert_close(answers[0], network(pattern)[0].expand_as(answers[0]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "photons"}, "network.source"),
        ({"scale": "cube"}, "network.scale"),
        ({"norm": "layer"}, "network.norm"),
        ({"heads": "tanh"}, "network.heads"),
        ({"upsampling": "cubic"}, "network.upsampling"),
        ({"box": [3, 4]}, "network.box"),
        ({"source": "latent", "skips": True}, "network.skips"),
        ({"levels": 1}, "levels=1"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        small(**options)


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UserError, match="larger than the pattern"):
        small(box=(20, 4, 4))(torch.rand(1, 1, 8, 8, 8))
    with pytest.raises(UserError, match="16 voxels or more"):
        small(levels=4)(torch.rand(1, 1, 8, 8, 8))
    with pytest.raises(UserError, match="norm"):
        normalisation("group", 3)  # type: ignore[arg-type]
