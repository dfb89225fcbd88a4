"""spi compare: numbers of several evaluations side by side."""

import json
from pathlib import Path

import pytest

from tests.apps.in_process import status


def evaluation(folder: Path, metrics: object) -> Path:
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "report.html").touch()
    return folder


def test_every_method_of_every_run_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"test/accuracy": 0.84, "test/accuracy/low": 0.7, "test/accuracy/high": 0.93, "test/frames": 25}
    first = evaluation(tmp_path / "real", {"methods": {"tiny": numbers, "ensemble": {"test/accuracy": None}}})
    second = evaluation(tmp_path / "simulated", {"methods": {"tiny": numbers}})
    monkeypatch.setenv("COLUMNS", "140")
    assert status("compare", str(first), str(second)) == 0
    printed = capsys.readouterr().out
    assert printed.count("0.840") == 2
    assert printed.count("0.70–0.93") == 2
    assert "ensemble" in printed
    assert f"report: {second / 'report.html'}" in printed


def test_default_names_of_runs_are_readable_in_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"test/accuracy": 0.84, "test/accuracy/low": 0.7, "test/accuracy/high": 0.93, "test/frames": 25}
    numbers |= {name.replace("accuracy", "auroc"): value for name, value in numbers.items()}
    names = [f"han_resnet10/2026-11-30_12-00-00_seed{seed}" for seed in range(4)]
    run = evaluation(tmp_path / "2026-11-30_13-00-00", {"methods": dict.fromkeys(names, numbers)})
    monkeypatch.setenv("COLUMNS", "80")
    assert status("compare", str(run)) == 0
    table = capsys.readouterr().out.partition("report:")[0]
    assert "…" not in table and all(len(line) <= 80 for line in table.splitlines())
    assert table.count("0.840") == 8 and all(f"seed{seed}" in table for seed in range(4))


def test_a_folder_without_scores_is_a_row_and_one_without_a_run_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unlabelled, damaged = (evaluation(tmp_path / name, m) for name, m in (("unlabelled", {"frames": 3}), ("bad", "x")))
    (tmp_path / "empty").mkdir()
    assert status("compare", str(unlabelled), str(damaged), str(tmp_path / "empty")) == 0
    printed = capsys.readouterr().out
    assert "failed bad: " in printed and f"no run in {tmp_path / 'empty'}" in printed and "unlabelled" in printed
    assert status("compare", str(tmp_path / "empty")) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'empty'}") and error.count("\n") == 1


def test_table_and_page_go_where_they_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = evaluation(tmp_path / "run", {"methods": {"tiny": {"test/accuracy": 0.5}, "best": {"test/accuracy": 0.7}}})
    words = [str(run), f"out=[{tmp_path / 'a.csv'},{tmp_path / 'b'}]", "objective=test/accuracy"]
    assert status("compare", *words) == 0
    assert "sorted by test/accuracy, largest first" in capsys.readouterr().out
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b" / "comparison.csv").read_text()
    assert (tmp_path / "b" / "report.html").is_file()


def test_a_run_whose_name_begins_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluation(tmp_path / "-run", {"methods": {"tiny": {"test/accuracy": 0.5}}})
    assert status("compare", "-run") == 0
    assert "tiny" in capsys.readouterr().out
    assert status("compare") == 2
    assert capsys.readouterr().err == "error: runs has no value: add runs=... to the command.\n"


def test_text_instead_of_numbers_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"test/accuracy": "\x1b[31mbest\nerror: no", "test/auroc": 0.45833333333, "test/auroc/low": "0"}
    run = evaluation(tmp_path / "run", {"methods": {"tiny": numbers}})
    monkeypatch.setenv("COLUMNS", "140")
    assert status("compare", str(run)) == 0
    printed = capsys.readouterr().out
    assert "\\x1b[31mbest\\nerror: no" in printed
    assert "0.458 " in printed and "0.4583" not in printed


def test_phasings_have_their_starts_resolution_size_and_strain_and_say_where_errors_do_not_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"held_out_error/best": 0.2, "kept": 7, "prtf/resolution_nm": 71.5, "size/frame_nm": 690.0}
    numbers |= {"laboratory/strain_rms": 2.4e-4, "r_factor/best": 0.5, "fourier_error/best": 0.14}
    folders = []
    for name, pixels in (("all", 460800), ("cut", 245760)):
        folders.append(str(evaluation(tmp_path / name, numbers | {"measured_pixels": pixels})))
        (tmp_path / name / "phasing.h5").touch()
    monkeypatch.setenv("COLUMNS", "160")
    assert status("compare", *folders) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("kept", "71.500", "690", "2.40e-04"))
    assert "errors of patterns that differ in their measured pixels are not comparable" in printed
    assert status("compare", folders[0]) == 0
    assert "not comparable" not in capsys.readouterr().out
