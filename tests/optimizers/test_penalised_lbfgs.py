import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import nn

from spi_lightning.errors import UserError
from spi_lightning.optimizers.penalised_lbfgs import PenalisedLBFGS


def features(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Features like those behind a ReLU: correlated, none negative, of very unequal importance; noisy labels."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=(count, 20)) * np.exp(-np.arange(20) / 6)
    values = np.maximum(hidden @ random.normal(size=(20, width)) + 0.3 * random.normal(size=(count, width)), 0)
    label = hidden[:, 0] + 0.6 * hidden[:, 4] + 0.5 * random.normal(size=count) > 0.3
    return values.astype(np.float32), label.astype(np.int64)


def train(values: np.ndarray, label: np.ndarray, classes: int = 1, **options: float) -> nn.Linear:
    head = nn.Linear(values.shape[1], classes)
    optimizer = PenalisedLBFGS(head.parameters(), **options)
    optimizer.patterns = len(values)
    x, y = torch.from_numpy(values), torch.from_numpy(label)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = head(x)
        loss = (
            F.cross_entropy(logits, y) if classes > 1 else F.binary_cross_entropy_with_logits(logits[:, 0], y.float())
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    return head


@pytest.mark.parametrize(("count", "width"), [(500, 30), (200, 1000)])
@pytest.mark.parametrize("strength", [0.01, 1.0, 10.0])
def test_probabilities_are_those_of_scikit_learn(count: int, width: int, strength: float) -> None:
    values, label = features(count, width)
    theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=20_000).fit(values.astype(np.float64), label)
    head = train(values, label, C=strength)
    ours = torch.sigmoid(head(torch.from_numpy(values))[:, 0]).detach().numpy()
    assert np.abs(ours - theirs.predict_proba(values)[:, 1]).max() < 1e-3
    assert 0 < np.linalg.norm(head.weight.detach()) < np.inf


def test_five_classes_agree_too() -> None:
    values, label = features(400, 25)
    kinds = (label * 2 + (values[:, 0] > np.median(values[:, 0]))).astype(np.int64)
    theirs = LogisticRegression(tol=1e-10, max_iter=20_000).fit(values.astype(np.float64), kinds)
    ours = train(values, kinds, classes=4)(torch.from_numpy(values)).softmax(1).detach().numpy()
    assert np.abs(ours - theirs.predict_proba(values)).max() < 1e-3


def test_the_intercept_is_free() -> None:
    label = np.repeat([0, 1], [10, 90])
    head = train(np.zeros((100, 3), dtype=np.float32), label, C=1e-3)
    assert head.bias.item() == pytest.approx(np.log(9), abs=1e-3)


def test_a_step_needs_the_number_of_patterns_and_a_positive_strength() -> None:
    head = nn.Linear(3, 1)
    with pytest.raises(UserError, match="number of training patterns"):
        PenalisedLBFGS(head.parameters()).step(lambda: head.weight.sum())
    with pytest.raises(UserError, match=r"optimizer\.C=0"):
        PenalisedLBFGS(head.parameters(), C=0.0)
