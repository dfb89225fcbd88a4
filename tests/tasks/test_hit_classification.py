from functools import partial

import pytest
import torch

from spi_lightning.data import Preprocess
from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, IS_SINGLE_HIT, KIND, MASK, PHOTONS, PROBABILITY, SCORE, Batch, Kind
from spi_lightning.losses import binary_cross_entropy, cross_entropy
from spi_lightning.metrics import HitMetrics
from spi_lightning.networks import ResNet10
from spi_lightning.tasks import HitClassification


def task(classes: int = 1, views: str = "none") -> HitClassification:
    torch.manual_seed(0)
    loss = binary_cross_entropy if classes == 1 else cross_entropy
    network = ResNet10((1, 2), (4, 8), classes=classes)
    return HitClassification(
        network, Preprocess(), loss, HitMetrics(), partial(torch.optim.Adam, lr=1e-3), classes=classes, views=views
    )


def batch(patterns: int = 6) -> Batch:
    torch.manual_seed(1)
    return {
        PHOTONS: torch.poisson(3 * torch.rand(patterns, 1, 16, 16)),
        MASK: torch.ones(patterns, 1, 16, 16, dtype=torch.bool),
        IS_SINGLE_HIT: torch.arange(patterns) % 2,
        KIND: torch.arange(patterns),
        FRAME: 10 + torch.arange(patterns),
    }


@pytest.mark.parametrize("classes", [1, 5])
def test_prediction_is_consistent_with_the_network(classes: int) -> None:
    classifier, patterns = task(classes).eval(), batch()
    classifier.temperature.fill_(2.0)
    with torch.inference_mode():
        answer, logits = classifier.predict_step(patterns), classifier(patterns)
    torch.testing.assert_close(answer["logits"], logits)
    assert answer["features"].shape == (6, 8) and answer[FRAME].tolist() == list(range(10, 16))
    single = logits.sigmoid() if classes == 1 else logits.softmax(1)[:, 0]
    torch.testing.assert_close(answer[SCORE], single)
    halved = (logits / 2).sigmoid() if classes == 1 else (logits / 2).softmax(1)[:, 0]
    torch.testing.assert_close(answer[PROBABILITY], halved)
    assert ("class_probability" in answer) == (classes == 5)


def test_contaminants_count_as_the_class_of_bad_patterns() -> None:
    assert task(5).target(batch()).tolist() == [0, 1, 2, 3, 4, Kind.MANY]


def test_loss_of_a_step_is_the_mean_over_patterns() -> None:
    classifier, patterns = task().eval(), batch()
    expected = binary_cross_entropy(classifier(patterns), patterns[IS_SINGLE_HIT]).mean()
    torch.testing.assert_close(classifier.training_step(patterns, 0), expected)


def test_a_loss_of_another_package_that_broadcasts_is_refused() -> None:
    classifier = task()
    classifier.loss = lambda logits, labels: (logits[:, None] - labels[None, :]) ** 2
    with pytest.raises(UserError, match=r"shape \(6, 6\); give one for each pattern"):
        classifier.training_step(batch(), 0)


def test_other_numbers_of_classes_are_refused() -> None:
    with pytest.raises(UserError, match=r"task\.classes=3"):
        HitClassification(ResNet10(), Preprocess(), cross_entropy, HitMetrics(), torch.optim.Adam, classes=3)


@pytest.mark.parametrize("classes", [1, 5])
def test_averaged_over_views_an_answer_is_that_of_the_turned_pattern(classes: int) -> None:
    plain, averaged = task(classes).eval(), task(classes, "dihedral").eval()
    patterns = batch()
    turned = {**patterns, PHOTONS: patterns[PHOTONS].rot90(1, (2, 3))}
    with torch.inference_mode():
        one, two = (averaged.predict_step(each) for each in (patterns, turned))
        alone = plain.predict_step(patterns)
        torch.testing.assert_close(one["logits"], two["logits"])
        assert not torch.allclose(one["logits"], alone["logits"])
        torch.testing.assert_close(one["features"], alone["features"])
        quarter = {**patterns, PHOTONS: patterns[PHOTONS].flip(3)}
        flipped = task(classes, "flips").eval()
        torch.testing.assert_close(flipped.predict_step(patterns)["logits"], flipped.predict_step(quarter)["logits"])


def test_unknown_views_are_refused() -> None:
    with pytest.raises(UserError, match=r"task\.views=spin is unknown: choose one of none, flips, dihedral"):
        task(views="spin")


def test_a_network_without_its_two_halves_is_refused_before_it_is_trained() -> None:
    whole = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(1))
    with pytest.raises(UserError, match="Sequential has no features and no head"):
        HitClassification(whole, Preprocess(), binary_cross_entropy, HitMetrics(), torch.optim.Adam)
