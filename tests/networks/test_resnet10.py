import pytest
import torch
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.networks import ResNet10
from spi_lightning.networks.resnet10 import ResidualBlock


def test_han_and_li_count() -> None:
    network = ResNet10(depths=(5, 4), widths=(32, 64), classes=5)
    assert sum(p.numel() for p in network.parameters()) == 167_333
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == 9
    assert not any(m.bias is not None for m in network.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("depths", [(5, 4), (3, 2), (4, 5), (7, 6), (1, 2), (9, 0)])
def test_depth_splits_have_their_convolutions(depths: tuple[int, int]) -> None:
    network = ResNet10(depths=depths, widths=(4, 8))
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert (widths.count(4), widths.count(8)) == depths
    assert network(torch.rand(2, 1, 33, 30)).shape == (2,)


def test_even_depth_and_shrinking_width_are_refused() -> None:
    with pytest.raises(UserError, match="odd"):
        ResNet10(depths=(4, 4))
    with pytest.raises(UserError, match="give as many as"):
        ResNet10(widths=(8, 16, 32))
    with pytest.raises(UserError, match="shrink"):
        ResNet10(widths=(64, 32))


def test_a_block_that_adds_nothing_is_the_identity() -> None:
    block = ResidualBlock((4, 4, 4), stride=1, dropout=0.0).eval()
    nn.init.zeros_(block.second[0].weight)
    maps = torch.rand(2, 4, 5, 6)
    torch.testing.assert_close(block(maps), maps)


def test_dropout_stands_between_normalisation_and_activation() -> None:
    assert [type(m).__name__ for m in ResNet10().stem] == ["Conv2d", "SharedBatchNorm2d", "Dropout"]
    assert ResNet10().stem[2].p == 0.25


def test_head_of_features_is_the_answer_with_a_mask_channel_and_a_strided_stem() -> None:
    network = ResNet10(widths=(4, 8), classes=5, in_channels=2, stem_stride=2).eval()
    patterns = torch.rand(3, 2, 32, 32)
    assert network.features(patterns).shape == (3, 8)
    torch.testing.assert_close(network.head(network.features(patterns)), network(patterns))
