import pytest
import torch
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.networks import Ensemble, ResNet10, TinyCNN


@pytest.mark.parametrize(
    "members",
    [
        [ResNet10((1, 2), (4, 8)) for _ in range(3)],
        [TinyCNN(size=32) for _ in range(2)],
        [ResNet10((1, 2), (4, 8), classes=5) for _ in range(2)],
    ],
)
def test_logits_are_the_mean_of_the_members(members: list[nn.Module]) -> None:
    ensemble, patterns = Ensemble(members).eval(), torch.rand(4, 1, 32, 32)
    expected = torch.stack([member(patterns) for member in members]).mean(0)
    features = ensemble.features(patterns)
    logits = ensemble.head(features)
    torch.testing.assert_close(ensemble(patterns), expected)
    torch.testing.assert_close(logits.squeeze(-1) if logits.shape[-1] == 1 else logits, expected)
    assert features.shape == (4, sum(member.features(patterns).shape[1] for member in members))


def test_an_empty_ensemble_is_refused() -> None:
    with pytest.raises(UserError, match="empty"):
        Ensemble([])
