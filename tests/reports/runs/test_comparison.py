"""Comparisons of runs: order, table in 80 columns, CSV and page."""

import csv
import json
from pathlib import Path

import pytest

from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.reports.runs import compare_runs, print_comparison, write_outputs
from spi_lightning.reports.runs.comparison import parts_of
from spi_lightning.results.phasing import PHASING_FILE
from spi_lightning.reports.runs.comparison import is_minimised, parts_of
from spi_lightning.reports.runs.screen import runs_table, titles
from spi_lightning.reports.short_names import short_keys
from spi_lightning.results.runs import JOB

CURVE = "epoch,step,val/auroc,val/loss\n0,10,{0},0.7\n1,20,{0},0.5\n"


def sweep(folder: Path, count: int = 4, key: str = "optimizer.lr", objective: str = "val/auroc") -> Path:
    """A sweep whose last job failed and whose job before that was stopped."""
    for number in range(count):
        job = folder / f"{key}={number}"
        job.mkdir(parents=True)
        group, _, name = key.partition(".")
        job.joinpath("config.yaml").write_text(f"objective: {objective}\n{group}: {{{name}: {number}}}\n")
        job.joinpath("versions.json").write_text(json.dumps({"overrides": [f"{key}={number}"]}))
        job.joinpath("metrics.csv").write_text(CURVE.format(0.1 * number))
        if number < count - 2:
            numbers = {"val/auroc": 0.1 * number, "val/loss": 0.5, "test/auroc": 0.3, "train/steps": 20}
            job.joinpath("metrics.json").write_text(json.dumps(numbers))
    failed = {"state": "failed", "reason": "<b>no</b> memory", "overrides": []}
    job.joinpath(JOB).write_text(json.dumps(failed))
    return folder


def test_the_best_comes_first_and_what_has_not_finished_last(tmp_path: Path) -> None:
    found = compare_runs([sweep(tmp_path / "sweep")])
    assert found.objective == "val/auroc" and not found.minimised
    assert [run.folder.name[-1] for run in found.runs] == ["1", "0", "2", "3"]
    assert [str(run.state) for run in found.runs] == ["finished", "finished", "unfinished", "failed"]
    assert [(column.key, column.values) for column in found.settings] == [("optimizer.lr", ("1", "0", "2", "3"))]
    by_loss = compare_runs([tmp_path], "val/loss")
    assert by_loss.minimised and by_loss.order == "sorted by val/loss, smallest first"


def test_numbers_of_different_patterns_are_named_as_such(tmp_path: Path) -> None:
    def run(name: str, data: str, file: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(f"data: {data}\n")
        (tmp_path / name / file).touch()
        (tmp_path / name / "metrics.json").write_text(json.dumps({"test/auroc": 0.5}))
        return tmp_path / name

    simulated = "{{simulate_config: 'shape: [{}]', patterns: {{test: 10}}, seed: 0}}"
    one, again, other = (run(n, simulated.format(i), "metrics.csv") for n, i in (("a", 1), ("b", 1), ("c", 2)))
    measured, part = run("d", "{path: a.h5}", "predictions.h5"), run("e", "{path: a.h5}", "metrics.csv")
    assert "different" not in compare_runs([one, again]).order
    order = compare_runs([one, again, other, measured, part], "test/auroc").order
    assert order.endswith("which are not comparable: simulated (2 sets), a.h5, part of a.h5")


def test_evaluations_stand_beside_trainings_by_the_number_of_the_test(tmp_path: Path) -> None:
    sweep(tmp_path / "sweep")
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "predictions.h5").touch()
    methods = {"tiny": {"test/auroc": 0.9, "test/auroc/low": 0.8, "test/auroc/high": 1.0}, "count": {"test/auroc": 0.2}}
    (tmp_path / "evaluation" / "metrics.json").write_text(json.dumps({"methods": methods}))
    found = compare_runs([tmp_path / "evaluation", tmp_path / "sweep"])
    assert found.objective == "test/auroc"
    assert [run.method or run.folder.name[-1] for run in found.runs] == ["tiny", "0", "1", "count", "2", "3"]
    assert found.labels[0] == "evaluation · tiny"


def test_trainings_of_another_objective_and_settings_of_one_kind_stand_apart(tmp_path: Path) -> None:
    sweep(tmp_path / "hits")
    sweep(tmp_path / "volumes", objective="val/loss")
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "predictions.h5").touch()
    (tmp_path / "evaluation" / "config.yaml").write_text("checkpoint: [one, two]\ndecision: {threshold: 0.5}\n")
    methods = {"one": {"test/auroc": 0.9}, "two": {"test/auroc": 0.2}}
    (tmp_path / "evaluation" / "metrics.json").write_text(json.dumps({"methods": methods}))
    found = compare_runs([tmp_path / "hits", tmp_path / "evaluation"])
    assert [column.key for column in found.settings] == ["optimizer.lr"]
    parts = parts_of(compare_runs([tmp_path], "val/auroc"))
    assert [part.objective for part in parts] == ["val/auroc", "test/auroc"]
    (tmp_path / "volumes" / "optimizer.lr=0" / "metrics.json").write_text(json.dumps({"val/loss": 0.1}))
    trainings = parts_of(compare_runs([tmp_path / "hits", tmp_path / "volumes"], "val/auroc"))
    assert [part.objective for part in trainings] == ["val/auroc", "val/loss"] and len(trainings[1].runs) == 1


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_is_whole_in_its_width(tmp_path: Path, capsys: pytest.CaptureFixture[str], width: int) -> None:
    sweep(tmp_path / "sweep", key="simulate.a_setting_with_a_long_name_indeed")
    console = Terminal(width=width)
    console.width = width
    table, dropped = runs_table(compare_runs([tmp_path]), lambda each: console.measure(each).maximum <= width)
    console.print(table)
    printed = capsys.readouterr().out
    assert all(len(line) <= width for line in printed.splitlines())
    assert "0.100" in printed and "unfinished" in printed and "failed" in printed
    assert len(printed.splitlines()[0]) <= width and isinstance(dropped, list)


def test_what_has_no_room_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    print_comparison(compare_runs([sweep(tmp_path / "sweep")]))
    printed = capsys.readouterr().out
    assert "not shown here, but with out=FILE.csv: " in printed and "sorted by val/auroc, largest first" in printed
    assert "failed lr=3: <b>no</b> memory" in printed or "failed optimizer.lr=3: <b>no</b> memory" in printed


def test_short_names_of_columns_are_as_long_as_they_must_be() -> None:
    keys = ["val/auroc", "test/auroc", "optimizer.lr", "head.lr", "val/false_positive_rate"]
    assert list(titles(keys).values()) == ["val/auroc", "test/auroc", "optimizer.lr", "head.lr", "FPR"]
    assert short_keys(["a.b", "b"]) == {"a.b": "a.b", "b": "b"}


@pytest.mark.parametrize(
    ("name", "minimised"),
    [("val/auroc", False), ("val/loss", True), ("val/eq_6_either_twin", True), ("test/false_positive_rate", True), ("val/iou", False), ("val/mine", False)],
)
def test_direction_of_numbers(name: str, minimised: bool) -> None:
    assert is_minimised(name) is minimised


def test_csv_and_page_hold_the_same_runs(tmp_path: Path) -> None:
    found = compare_runs([sweep(tmp_path / "sweep", key="optimizer.<script>")])
    table, page = write_outputs(found, [tmp_path / "out"])
    rows = list(csv.DictReader(table.open()))
    assert [row["state"] for row in rows] == ["finished", "finished", "unfinished", "failed"]
    assert [row["val/auroc"] for row in rows] == ["0.1", "0", "0.2", "0.3"]
    assert [row["optimizer.<script>"] for row in rows] == ["1", "0", "2", "3"]
    text = page.read_text()
    assert "<script>" not in text and "&lt;b&gt;no&lt;/b&gt; memory" in text and "Learning curves" in text
    assert page.stat().st_size < 4e6 and "http://" not in text.replace("http://www.w3.org", "")
    (only,) = write_outputs(found, [tmp_path / "table.csv"])
    assert only.read_text() == table.read_text()
    with pytest.raises(UserError, match=r"x\.pdf"):
        write_outputs(found, [tmp_path / "x.pdf"])


def test_a_hundred_runs_make_a_page_of_bounded_size(tmp_path: Path) -> None:
    page = write_outputs(compare_runs([sweep(tmp_path / "sweep", 100)]), [tmp_path / "page.html"])[0]
    assert page.stat().st_size < 1e6


def test_a_search_says_what_is_better_and_numbers_its_trials(tmp_path: Path) -> None:
    sweep(tmp_path / "search")
    for job in list((tmp_path / "search").iterdir()):
        job.rename(job.with_name(f"00{job.name[-1]}_lr-{job.name[-1]}"))
    (tmp_path / "search" / "multirun.yaml").write_text("hydra: {sweeper: {direction: minimize}}")
    found = compare_runs([tmp_path / "search"])
    assert found.minimised and found.names == ("000", "001", "002", "003")
    (tmp_path / "search" / "multirun.yaml").write_text("hydra: {sweeper: {direction: [")
    assert not compare_runs([tmp_path / "search"]).minimised


def test_runs_of_other_numbers_have_a_table_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path / "sweep")
    for number, error in enumerate((0.3, 0.2)):
        phased = tmp_path / f"phased{number}"
        phased.mkdir()
        (phased / PHASING_FILE).touch()
        (phased / "config.yaml").write_text(f"phasing: {{starts: {5 + number}}}\n")
        (phased / "metrics.json").write_text(json.dumps({"held_out_error/best": error, "kept": 4.0}))
    found = compare_runs([tmp_path])
    trained, phased_runs = parts_of(found)
    assert trained.objective == "val/auroc" and [one.key for one in trained.settings] == ["optimizer.lr"]
    assert phased_runs.objective == "held_out_error/best" and phased_runs.names == ("phased1", "phased0")
    assert [one.key for one in phased_runs.settings] == ["phasing.starts"]
    print_comparison(found)
    assert capsys.readouterr().out.count("sorted by") == 2
    assert parts_of(trained) == [trained]
