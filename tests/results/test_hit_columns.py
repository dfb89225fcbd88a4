"""Meanings of the columns of predictions.csv."""

from pathlib import Path

from spi_lightning.results.hit_columns import meaning_of, meanings_of

PAGE = Path(__file__).parents[2] / "docs" / "predictions.md"


def test_the_page_of_the_columns_says_what_the_report_says() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) >= 20
    for name, meaning in rows:
        assert meaning == meaning_of(name.strip("`")), name


def test_columns_of_the_file_are_named_as_such() -> None:
    assert meanings_of(["is_hit", "shot_energy"])[1] == ("shot_energy", "of the file of the patterns")
