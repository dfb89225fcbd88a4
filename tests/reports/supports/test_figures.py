"""Figures of supports: nothing of a publication in an evaluation of one's own."""

from spi_lightning.reports.supports.figures import trade_off_figure

POINTS = [
    {"setting": setting, "dilation": dilation, "false_positives": 20.0, "below_two_false_negatives": 0.9}
    for setting in (None, 0.4, 0.5)
    for dilation in (0, 1)
]


def test_a_mark_to_beat_is_drawn_where_it_is_named_alone() -> None:
    plain, marked = trade_off_figure({"mine": POINTS}), trade_off_figure({"mine": POINTS}, goal=(50, 95))
    assert [text.get_text() for text in plain.axes[0].texts] == []
    assert [text.get_text() for text in marked.axes[0].texts] == ["goal: \u2265 95 % at \u2264 50 px"]
