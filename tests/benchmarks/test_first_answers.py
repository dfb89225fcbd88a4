"""The benchmark of first answers runs the commands that it times, and README has its seconds."""

import re
from pathlib import Path

from benchmarks.first_answers import NAME, measured
from benchmarks.record import read_result
from tests.cases.commands import ROOT


def test_a_timed_command_is_done(tmp_path: Path) -> None:
    small = ["simulate.shape=[32,32]", "simulate.block_size=4", "examples=0"]
    numbers = measured(["simulate", "patterns=4", "path=a.cxi", *small], tmp_path)
    assert (tmp_path / "a.cxi").is_file() and numbers["seconds"] > 0 and numbers["megabytes"] > 100


def test_the_tour_of_readme_has_the_measured_seconds() -> None:
    commands, tour = read_result(NAME)["commands"], (ROOT / "README.md").read_text(encoding="utf-8")
    steps = [
        commands[step]["seconds"]
        for step in ("simulate", "describe", "classify", "labelled", "demo_tiny_cnn", "phase_hits")
    ]
    assert [int(seconds) for seconds in re.findall(r"\((\d+) s\)", tour)] == [round(seconds) for seconds in steps]
