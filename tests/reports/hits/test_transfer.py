import numpy as np

from spi_lightning.reports.hits.transfer import (
    confusion_table,
    errors_by_fluence,
    errors_by_fluence_figure,
    errors_by_fluence_table,
    layer_gallery_figure,
)
from spi_lightning.reports.style import as_svg

RANDOM = np.random.default_rng(0)


def answers(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, decisions and fluences: faint single hits are missed."""
    label = np.arange(count) % 3 - 1
    fluence = np.geomspace(1e20, 1e23, count)
    decision = np.where((label == 1) & (fluence > 3e20), 1, 0)
    return label, decision, fluence


def test_the_confusion_table_has_the_papers_columns() -> None:
    label, decision, _ = answers()
    table = confusion_table(label, {"head": decision, "all": np.ones_like(label)})
    words = " ".join(table.head).replace("\n", " ")
    assert words == "method single hits found others rejected single hits missed false alarms accuracy"
    single, missed = int(((label == 1) & (decision == 1)).sum()), int(((label == 1) & (decision == 0)).sum())
    accuracy = f"{100 * (single + 133) / (single + missed + 133):.1f} %"
    assert table.rows[0] == ("head", str(single), "133", str(missed), "0", accuracy)
    assert table.rows[1][1:5] == ("133", "0", "0", "133")


def test_errors_are_counted_in_their_bins_and_none_is_lost() -> None:
    label, decision, fluence = answers()
    errors = errors_by_fluence(label, decision, fluence, bins=6)
    assert errors is not None and len(errors.edges) == 7
    assert errors.singles.sum() == (label == 1).sum() and errors.others.sum() == (label == 0).sum()
    assert errors.missed.sum() == ((label == 1) & (decision == 0)).sum() and not errors.taken.any()
    assert errors.missed[0] > 0.8 * errors.singles[0] > 0 and not errors.missed[2:].any()
    table = errors_by_fluence_table(errors)
    assert len(table.rows) == 6 and table.rows[0][1] == f"{errors.missed[0]} of {errors.singles[0]}"


def test_frames_without_a_fluence_or_label_are_left_out() -> None:
    label, decision, fluence = answers(30)
    fluence[:9] = np.nan, 0, -1, np.inf, *[np.nan] * 5
    errors = errors_by_fluence(label, decision, fluence)
    assert errors is not None and (errors.singles + errors.others).sum() == (label[9:] >= 0).sum()
    assert errors_by_fluence(label, decision, np.full(30, 2.0)) is None
    assert errors_by_fluence(np.full(30, -1), decision, fluence) is None


def test_figures_are_drawn_for_many_frames_and_for_few() -> None:
    for count in (90, 7):
        label, decision, fluence = answers(count)
        errors = errors_by_fluence(label, decision, fluence)
        assert errors is not None
        assert "svg" in as_svg(errors_by_fluence_figure(errors, "photons"))


def test_the_layer_gallery_shows_the_channels_that_vary_most() -> None:
    maps = np.zeros((5, 8, 8))
    maps[3, 0, 0], maps[1, 0, 0] = 9, 5
    picture = layer_gallery_figure(RANDOM.poisson(2, (16, 20)), {"conv1": maps, "conv2": maps[:2]}, channels=3)
    titles = [axes.get_title() for axes in picture.axes]
    assert titles[:4] == ["log(1 + photons)", "channel 3", "channel 1", "channel 0"]
    assert titles[5:7] == ["channel 1", "channel 0"] and titles[7] == ""
    assert "svg" in as_svg(picture)
