"""Atomic writes: temporary names, stale temporary files, exclusive folders, and one-line errors of the system."""

import errno
import os
import subprocess
import threading
from pathlib import Path

import pytest

from spi_lightning.errors import UserError
from spi_lightning.files import (
    atomic_write,
    create_folder,
    folder_lock,
    unique_folder,
    write_error,
    write_json,
    write_text,
)


def test_a_file_appears_whole_and_its_part_is_gone(tmp_path) -> None:
    path = write_text(tmp_path / "a" / "b" / "text.txt", "ä")
    assert path.read_text(encoding="utf-8") == "ä"
    assert [each.name for each in path.parent.iterdir()] == ["text.txt"]
    assert write_json(tmp_path / "c.json", {"n": 1}).read_text() == '{\n  "n": 1\n}\n'


def test_numbers_are_valid_json_or_nothing(tmp_path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"test/auroc": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), UserError("y")])
def test_an_error_leaves_the_old_file_and_no_part_and_no_new_folder(tmp_path, error) -> None:
    old = write_text(tmp_path / "old.txt", "old")
    for path in (old, tmp_path / "new" / "deep" / "x.txt"):
        with pytest.raises(type(error)), atomic_write(path) as part:
            part.write_text("half")
            raise error
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_two_writers_of_one_file_never_share_a_part(tmp_path) -> None:
    with atomic_write(tmp_path / "x") as first, atomic_write(tmp_path / "x") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "x").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_parts_of_killed_writers_go_when_their_file_is_written_next(tmp_path) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    with atomic_write(tmp_path / "x[1].h5") as mine:
        stale = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{killed.pid}-"))
        stale.write_text("half")
        other = stale.with_name(stale.name.replace("x[1].h5", "y.h5"))
        other.write_text("half of another file")
        with atomic_write(tmp_path / "x[1].h5") as part:
            part.write_text("b")
        mine.write_text("a")
        assert not stale.exists()
    assert {each.name for each in tmp_path.iterdir()} == {"x[1].h5", other.name}


def test_the_longest_name_that_the_system_takes_can_be_written(tmp_path) -> None:
    assert write_text(tmp_path / ("n" * 255), "x").read_text() == "x"


def _below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "deep" / "x.txt"


def _a_folder(folder: Path) -> Path:
    (folder / "x.txt").mkdir()
    return folder / "x.txt"


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (_below_a_file, "a folder in its path is a file"),
        (_a_folder, "it is a folder"),
        (lambda folder: folder / ("n" * 256), "name is too long"),
        (lambda folder: Path("/proc/nothing/x.txt"), "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, make, line) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=line) as caught:
        write_text(path, "x")
    assert str(caught.value).partition(":")[0] in (str(path), str(path.parent))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EPIPE, "Broken pipe"),
    ],
)
def test_the_cause_is_named(tmp_path, number, line) -> None:
    with pytest.raises(UserError, match=f"x: cannot be written, .*{line}"), atomic_write(tmp_path / "x") as part:
        part.write_text("half")
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []
    assert line in str(write_error("x", OSError(number, os.strerror(number))))


def test_a_file_that_cannot_be_read_is_not_blamed_on_the_output(tmp_path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "x"):
        (tmp_path / "inputs" / "gone").read_text()


def test_a_folder_that_is_removed_meanwhile_is_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match="check whether it was removed"), atomic_write(tmp_path / "a" / "x") as part:
        part.write_text("x")
        part.unlink()
        part.parent.rmdir()


def test_folders_made_in_vain_go_and_those_of_the_user_stay(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="no"), create_folder(tmp_path / "mine" / "new" / "deep"):
        raise ValueError("no")
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    with pytest.raises(ValueError, match="no"), create_folder(tmp_path / "mine" / "new") as folder:
        (folder / "result").write_text("")
        raise ValueError("no")
    assert (tmp_path / "mine" / "new" / "result").exists()


def test_folders_made_at_the_same_time_are_different_ones(tmp_path) -> None:
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.append(unique_folder(tmp_path / "runs" / "2026-01-01"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.name for each in made) == ["2026-01-01", *(f"2026-01-01_{n}" for n in range(2, 9))]
    assert len(list((tmp_path / "runs").iterdir())) == 8


def test_a_folder_below_a_file_is_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "run", tmp_path / "file" / "a" / "run"):
        with pytest.raises(UserError, match=r"is a file|a file has the name"):
            unique_folder(path)


def test_only_one_run_works_in_a_folder(tmp_path) -> None:
    folder = tmp_path / "new" / "run"
    with folder_lock(folder), pytest.raises(UserError, match="another run is using it"), folder_lock(folder):
        pass
    with folder_lock(folder):
        pass
    assert not list(folder.iterdir())
