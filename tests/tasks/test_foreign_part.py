"""Networks and losses of a user that do not fit end a training in one line."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.networks import ResNet10
from spi_lightning.tasks.foreign_part import errors_of
from tests.tasks.test_hit_classification import batch, task


def needs_gamma(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    return gamma * (logits - labels).square()


class Mine(nn.Module):
    """A network of one's own, whose head takes ``width`` features and answers ``logits`` numbers."""

    def __init__(self, width: int = 256, logits: int = 1) -> None:
        super().__init__()
        self.features, self.head = nn.Flatten(), nn.Linear(width, logits)

    def forward(self, pattern: Tensor) -> Tensor:
        return self.head(self.features(pattern)).squeeze(-1)


def test_a_loss_that_lacks_an_argument_is_one_line() -> None:
    classifier = task()
    classifier.loss = partial(needs_gamma)
    with pytest.raises(
        UserError, match=r"loss: tests\.tasks\.test_foreign_part\.needs_gamma fails on \(6,\), \(6,\): "
    ) as caught:
        classifier.training_step(batch(), 0)
    assert "missing 1 required positional argument: 'gamma'" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "line"),
    [
        (Mine(width=100), r"network: .*Mine fails on \(6, .*: RuntimeError: mat1 and mat2"),
        (Mine(logits=3), r"network: Mine answers 6 patterns with shape \(6, 3\); give logits of shape \(6,\)"),
    ],
)
def test_a_network_that_does_not_fit_is_one_line(network: nn.Module, line: str) -> None:
    classifier = task()
    classifier.network = network
    for step in (classifier.training_step, classifier.validation_step):
        with pytest.raises(UserError, match=line):
            step(batch(), 0)


def test_a_network_that_fits_is_trained() -> None:
    classifier = task()
    classifier.network = Mine()
    assert classifier.training_step(batch(), 0).isfinite()


def test_errors_of_this_package_keep_their_traceback() -> None:
    with pytest.raises(RuntimeError, match="channels"), errors_of("network", ResNet10()):
        ResNet10()(torch.zeros(1, 3, 16, 16))
