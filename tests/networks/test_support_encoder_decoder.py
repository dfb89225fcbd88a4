import pytest
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.losses import squared_error
from spi_lightning.networks import SupportEncoderDecoder


def small(**options: object) -> SupportEncoderDecoder:
    return SupportEncoderDecoder(16, (4, 6, 8), 16, **options)  # type: ignore[arg-type]


def discs(patterns: int, size: int = 16) -> tuple[Tensor, Tensor]:
    """Roots of the autocorrelations of bright discs of random radius, and the discs: few pixels, as proteins have."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(size) - size // 2, torch.arange(size) - size // 2, indexing="ij")
    radius = 1.5 + 2 * torch.rand(patterns, 1, 1, generator=generator)
    disc = (torch.hypot(y.float(), x.float()) < radius).float()
    autocorrelation = torch.fft.fftshift(torch.fft.ifft2(torch.fft.fft2(disc).abs().square()).real, dim=(-2, -1))
    return (autocorrelation / autocorrelation.amax((-2, -1), keepdim=True)).clamp(min=0).sqrt()[:, None], disc[:, None]


def test_the_published_network_has_its_parameters_and_layers() -> None:
    network = SupportEncoderDecoder()
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)]
    assert sum(p.numel() for p in network.parameters()) == 19_721_217
    assert len(layers) == 15 and {m.stride for m in layers if isinstance(m, torch.nn.Conv2d)} == {(1, 1)}
    dense = sum(p.numel() for module in layers if isinstance(module, torch.nn.Linear) for p in module.parameters())
    assert dense == 8_388_736 + 8_454_144


def test_the_output_is_a_tanh_or_logits() -> None:
    torch.manual_seed(0)
    bounded = small()
    logits = small(logits=True)
    logits.load_state_dict(bounded.state_dict())
    pattern = torch.rand(2, 1, 16, 16)
    assert bounded(pattern).shape == (2, 1, 16, 16) and bounded.features(pattern).shape == (2, 16)
    torch.testing.assert_close(bounded(pattern), logits(pattern).tanh())
    assert small(candidates=3, in_channels=2)(torch.rand(2, 2, 16, 16)).shape == (2, 3, 16, 16)


def test_an_object_and_its_twin_get_the_same_answer_and_the_answer_is_one_of_them() -> None:
    torch.manual_seed(0)
    object_ = torch.zeros(1, 1, 16, 16)
    object_[..., 6:9, 5:12] = 1
    object_[..., 9:11, 5:7] = 1
    pattern = torch.fft.fftshift(torch.fft.fft2(torch.cat([object_, object_.flip((-2, -1))])).abs(), dim=(-2, -1))
    answer = small()(pattern / pattern.max())
    torch.testing.assert_close(answer[0], answer[1])
    assert (answer[0] - answer[0].flip((-2, -1))).abs().max() > 1e-3


def test_none_of_twenty_seeds_collapses_to_zero() -> None:
    pattern, disc = discs(8)
    for seed in range(20):
        torch.manual_seed(seed)
        network = SupportEncoderDecoder(16, (8, 8, 16), 32)
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(30):
            optimizer.zero_grad()
            loss = squared_error(network(pattern), disc).mean()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.6, f"seed {seed}: {loss.item()} of the 1 that an all-zero answer costs"


def test_other_sizes_and_activations_are_refused() -> None:
    with pytest.raises(UserError, match=r"network\.size=20"):
        SupportEncoderDecoder(20)
    with pytest.raises(UserError, match="takes 16 x 16"):
        small()(torch.zeros(1, 1, 32, 32))
    with pytest.raises(UserError, match="activation"):
        small(activation="relu")
