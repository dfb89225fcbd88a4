import pytest

from spi_lightning.evaluation.console_table import NumberColumn, methods_table, print_summary
from spi_lightning.notes import Level, Note


@pytest.mark.parametrize(
    ("column", "numbers", "text"),
    [
        (("a", "A", ".3f", ".2f"), {"a": 0.98765, "a/low": 0.9, "a/high": 1.0}, "0.988\n0.90–1.00"),
        (("a", "A", ".1%"), {"a": 0.123, "a/low": 0.1, "a/high": 0.2}, "12.3 %\n10.0–20.0"),
        (("a", "A", ".3f"), {"a": 0.5, "a/low": None, "a/high": None}, "0.500"),
        (("a", "A"), {"a": 1.23456e-5}, "1.23e-05"),
        (("a", "A"), {"a": 12.3456}, "12.35"),
        (("a", "A"), {"a": 0.0}, "0"),
        (("a", "A"), {"a": None}, "-"),
        (("a", "A"), {}, "-"),
    ],
)
def test_a_cell_holds_a_number_with_its_interval(column, numbers, text) -> None:
    assert NumberColumn(*column).cell(numbers).plain == text


def test_summary_prints_tables_then_lines_then_notes_by_level(capsys, tmp_path) -> None:
    table = methods_table({"graph_cut [5]": {"a": 0.5}}, [NumberColumn("a", "AUROC", ".3f")], "without 3 frames")
    notes = [Note.of("quiet"), Note.hint("try this"), Note.warning("beware", "net")]
    print_summary([table], ["5 frames selected"], notes, tmp_path / "report.html", Level.HINT)
    printed = capsys.readouterr().out
    assert "graph_cut [5]" in printed and "0.500" in printed and "without 3 frames" in printed
    assert printed.splitlines()[-4:] == [
        "5 frames selected",
        "WARNING: net: beware",
        "HINT: try this",
        f"report: {tmp_path / 'report.html'}",
    ]
