import torch
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_auroc,
    binary_average_precision,
    binary_calibration_error,
    multiclass_confusion_matrix,
)

from spi_lightning.metrics import HitMetrics, PatternMean


def answers(patterns: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    label = torch.randint(0, 2, (patterns,))
    return (torch.randn(patterns) + label).sigmoid(), label


def test_numbers_are_those_of_torchmetrics() -> None:
    probability, label = answers()
    metrics = HitMetrics()
    metrics.update(probability, label)
    found = metrics.compute()
    for name, reference in {
        "accuracy": binary_accuracy(probability, label),
        "auroc": binary_auroc(probability, label),
        "average_precision": binary_average_precision(probability, label),
        "calibration_error": binary_calibration_error(probability, label, n_bins=15),
    }.items():
        torch.testing.assert_close(found[name].float(), reference, rtol=1e-5, atol=1e-6)
    (tn, fp), (fn, tp) = found["confusion"].tolist()
    assert found["false_positive_rate"] == fp / (fp + tn) and found["recall"] == tp / (tp + fn)
    assert found["frames"] == 200


def test_false_positive_rate_at_ninety_percent_recall() -> None:
    probability = torch.cat([torch.linspace(0.1, 1.0, 10), torch.tensor([0.15, 0.25, 0.05, 0.95])])
    metrics = HitMetrics()
    metrics.update(probability, torch.tensor([1] * 10 + [0] * 4))  # nine of ten singles lie at 0.2 and above
    assert metrics.compute()["fpr_at_90_recall"] == 0.5


def test_batches_do_not_show_to_the_last_bit() -> None:
    probability, label = answers()
    order, whole, pieces = torch.randperm(200), HitMetrics(), HitMetrics()
    whole.update(probability, label)
    for part in order.split(7):
        pieces.update(probability[part], label[part])
    one, many = whole.compute(), pieces.compute()
    assert all(torch.equal(one[name], many[name]) for name in one)


def test_unknown_labels_are_left_out() -> None:
    probability, label = answers()
    some, known = HitMetrics(), HitMetrics()
    some.update(probability, torch.where(torch.arange(200) < 50, -1, label))
    known.update(probability[50:], label[50:])
    one, other = some.compute(), known.compute()
    assert all(torch.equal(one[name], other[name]) for name in other) and one["frames"] == 150


def test_what_one_class_cannot_tell_is_left_out_and_named() -> None:
    metrics = HitMetrics()
    metrics.update(torch.rand(8), torch.ones(8, dtype=torch.int64))
    found = metrics.compute()
    assert "auroc" not in found and "false_positive_rate" not in found and "accuracy" in found
    assert {"auroc", "false_positive_rate"} <= set(metrics.missing)
    assert all(torch.isfinite(value).all() for value in found.values())
    unlabelled = HitMetrics()
    unlabelled.update(torch.rand(3), torch.full((3,), -1))
    assert set(unlabelled.compute()) == {"frames"}


def test_kinds_give_their_own_accuracy_and_confusion() -> None:
    probability, label = answers()
    predicted, kind = torch.randint(0, 5, (200,)), torch.randint(-1, 5, (200,))
    metrics = HitMetrics()
    metrics.update(probability, label, predicted, kind)
    found, known = metrics.compute(), kind >= 0
    expected = multiclass_confusion_matrix(predicted[known], kind[known], num_classes=5)
    assert torch.equal(found["kind_confusion"], expected)
    assert found["kind_accuracy"] == expected.diagonal().sum() / known.sum()


def test_mean_over_patterns_not_over_batches() -> None:
    mean = PatternMean()
    mean.update(torch.tensor([1.0, 1.0, 1.0]))
    mean.update(torch.tensor([5.0]))
    mean.update(torch.zeros(0))
    assert mean.compute() == 2
