import numpy as np

from spi_lightning.metrics.hits.classification_curves import curve_bands
from spi_lightning.reports.hits.curves import (
    confusion_figure,
    histogram_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from spi_lightning.reports.hits.trust import abstention_figure
from spi_lightning.results.decision import DecisionRule
from spi_lightning.results.hit_answer import HitAnswer
from spi_lightning.results.hits import DecidedAnswer

LABEL = np.arange(40) % 2


def answer(name: str = "a") -> DecidedAnswer:
    logit = 2 * LABEL - 1 + np.random.default_rng(0).normal(size=40)
    probability = (1 / (1 + np.exp(-logit))).astype(np.float32)
    return DecidedAnswer.of(name, HitAnswer(probability, probability), DecisionRule(abstain_within=0.0))


def test_precision_is_the_largest_at_each_recall() -> None:
    found, largest = answer(), {}
    for threshold in np.unique(found.probability):
        taken = found.probability >= threshold
        recall = round(float(taken[LABEL == 1].mean()), 9)
        largest[recall] = max(largest.get(recall, 0.0), LABEL[taken].mean())
    bands = curve_bands(found.probability.astype(float), LABEL, replicates=20)
    lines = {line.get_label(): line for line in precision_recall_figure([found], LABEL, bands).axes[0].lines}
    recalls, precisions = next(line for name, line in lines.items() if name.startswith("a:")).get_data()
    drawn = dict(zip(recalls.round(9).tolist(), precisions, strict=True))
    assert all(drawn[recall] == largest[recall] for recall in largest if recall > 0)


def test_bars_of_reliability_and_of_probabilities_count_every_frame_once() -> None:
    axes, counts = reliability_figure(answer(), LABEL).axes
    assert sum(bar.get_height() for bar in counts.patches) == 40
    (points,) = axes.containers
    probability = answer().probability
    first = (probability >= 0.0) & (probability < 0.1)
    assert points.lines[0].get_ydata()[0] == LABEL[first].mean()
    for label, names in ((LABEL, ["single hit (20)", "other (20)"]), (None, ["frames (40)"])):
        axes = histogram_figure(answer(), label, 0.5, 0.0).axes[0]
        assert sum(bar.get_height() for bar in axes.patches) == 40
        assert set(names) < set(axes.get_legend_handles_labels()[1])


def test_confusion_counts_every_frame_once() -> None:
    texts = [text.get_text() for text in confusion_figure(answer(), LABEL).axes[0].texts]
    assert sum(int(text.split("\n")[0]) for text in texts) == 40


def test_the_operating_point_lies_on_the_curve() -> None:
    bands = curve_bands(answer().probability.astype(float), LABEL, replicates=20)
    lines = {line.get_label(): line for line in roc_figure([answer()], LABEL, bands).axes[0].lines}
    curve = next(line for name, line in lines.items() if name.startswith("a:"))
    point = lines["a at the threshold"].get_xydata()[0]
    assert min(np.abs(curve.get_xydata() - point).sum(axis=1)) < 1e-9


def test_a_method_has_one_colour_in_all_curves() -> None:
    answers = [answer("a"), answer("b"), answer("ensemble")]
    bands = curve_bands(answer().probability.astype(float), LABEL, replicates=20)
    pictures = roc_figure(answers, LABEL, bands), abstention_figure(answers, LABEL, 0.5)
    for picture in pictures:  # curves that lie on one another are told apart, the broad one below
        named = {line.get_label().split(":")[0]: line for line in picture.axes[0].lines}
        styles = [named[name].get_linestyle() for name in ("a", "b", "ensemble")]
        assert len(set(styles)) == 3 and styles[-1] == "-"
        assert named["ensemble"].get_zorder() < named["a"].get_zorder()
    colours = [
        {line.get_label().split(":")[0]: line.get_color() for line in picture.axes[0].lines} for picture in pictures
    ]
    assert all(colours[0][name] == colours[1][name] for name in ("a", "b", "ensemble"))
