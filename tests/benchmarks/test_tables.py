"""RESULTS.md holds what benchmarks/results holds: each table is written from its numbers, and again the same."""

import json

import pytest

from benchmarks.record import RESULTS, as_json
from benchmarks.tables import PAGE, page, table, templates

TEXT = PAGE.read_text()


def test_writing_the_tables_again_changes_nothing() -> None:
    assert page(TEXT) == TEXT


def test_every_table_has_its_numbers_and_every_template_its_table() -> None:
    lines, inside, named = TEXT.split("\n"), False, []
    for line in lines:
        if line.startswith("<!-- table: "):
            inside, _ = True, named.append(line.split()[2])
        inside = inside and line != "<!-- end of table -->"
        assert inside or not line.startswith("|"), f"a table that no command writes: {line}"
    assert len(named) == len(set(named)) and set(templates()) <= set(named)


def test_a_table_follows_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"net 64²": {name: {"per_second": 1234.5} for name in ("classification", "h5py", "network")}}
    rows["net 64²"]["of_slower_bound"] = 0.5  # type: ignore[assignment]
    monkeypatch.setattr("benchmarks.tables.result", lambda name: {"rows": rows})
    assert table("classification_throughput").endswith("| net 64² | 1,234 | 1,234 | 1,234 | 50 % |\n")


def test_result_files_are_written_as_they_are_kept() -> None:
    for path in RESULTS.glob("*.json"):
        assert as_json(json.loads(path.read_text())) + "\n" == path.read_text(), path
