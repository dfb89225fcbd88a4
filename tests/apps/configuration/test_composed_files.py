"""Values of a file that the user has chosen, which an experiment replaces, are named."""

from pathlib import Path

import pytest

from tests.apps.in_process import status

LINE = "experiment=demo_tiny_cnn is laid over simulate=mine and sets simulate.usable_photons=12000 over 3000"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A simulation of the user, as a word of the command line."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mylab/conf/simulate"
    folder.mkdir(parents=True)
    text = "defaults: [hits, _self_]\nusable_photons: 3.0e+3\ngeometry: {pixel_size: 3.0e-4}\n"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return "hydra.searchpath=[mylab/conf]"


def test_an_experiment_names_the_values_of_the_chosen_file_that_it_replaces(
    mine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("config", mine, "experiment=demo_tiny_cnn", "simulate=mine") == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"# WARNING: {LINE}; to keep yours, add simulate.usable_photons=3000"
    assert "  usable_photons: 12000.0" in "\n".join(rest) and not rest[0].startswith("#")


@pytest.mark.parametrize(
    "words",
    [
        ("experiment=demo_tiny_cnn", "simulate=mine", "simulate.usable_photons=3000"),
        ("experiment=demo_tiny_cnn",),
        ("simulate=mine",),
        ("experiment=demo_tiny_cnn", "network=tiny_cnn"),
    ],
)
def test_nothing_is_named_that_was_not_replaced(
    mine: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("config", mine, *words) == 0
    assert "WARNING" not in capsys.readouterr().out
