"""Figures and pages show names as they are: no formulas, no markup, no control characters."""

from pathlib import Path

import pytest
from matplotlib.text import Text

from spi_lightning.reports.page import Section, Table, write_page
from spi_lightning.reports.style import as_svg, figure

NAMES = ("a$x^$b", "cost$5_and$6", "100%", "x\nerror: y\x1b[31m", "b\udcff", "<b>&amp;")


@pytest.mark.parametrize("name", NAMES)
def test_figures_draw_any_name(name: str) -> None:
    with figure() as picture:
        axes = picture.subplots()
        axes.set_title(name)
        axes.bar([0, 1], [1, 100], log=True, label=name)
        axes.set_xticks([0, 1], labels=[name, "$q_x$"])
        axes.legend()
    assert as_svg(picture).startswith("data:image/svg")
    displayed = [text for text in picture.findobj(Text) if "$" in text.get_text()]  # type: ignore[attr-defined]
    formulas = {text.get_text() for text in displayed if text.get_parse_math()}  # type: ignore[attr-defined]
    assert "$q_x$" in formulas and name not in formulas


def test_pages_escape_what_they_show(tmp_path: Path) -> None:
    blocks = [Table(["name"], [[name] for name in NAMES], "words")]
    text = write_page(tmp_path / "page.html", NAMES[-1], NAMES[3], [Section("names", blocks)]).read_text("utf-8")
    assert "\x1b" not in text and r"error: y\x1b[31m" in text and r"b\xff" in text
    assert "<b>" not in text.split("<body")[1] and "&lt;b&gt;&amp;amp;" in text
