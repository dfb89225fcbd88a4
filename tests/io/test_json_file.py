"""JSON of run folders that is damaged is refused in one line."""

from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.json_file import read_json, read_metrics
from spi_lightning.reports.runs import runs_table


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3", "\x00", "[" * 100000, '{"a": NaN'])
def test_what_is_no_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: "):
        read_json(tmp_path / "metrics.json")
    with pytest.raises(UserError, match=r"metrics\.json: "):
        runs_table([tmp_path])


@pytest.mark.parametrize("text", ['{"methods": 3}', '{"methods": [1]}', '{"methods": {"a": null}}'])
def test_methods_without_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match="methods"):
        read_metrics(tmp_path / "metrics.json")


def test_sound_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"frames": 3, "methods": {"a": {"test/accuracy": 0.5}}}')
    assert read_metrics(tmp_path / "metrics.json")["methods"]["a"]["test/accuracy"] == 0.5
