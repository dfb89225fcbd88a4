"""Damaged files of every format end in one line; JSON files of a run."""

import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns, write_selection
from spi_lightning.io.patterns.frame_lists import index_line
from spi_lightning.io.reading import read_json, read_metrics, reading, reads
from spi_lightning.printable import printable

PATH = Path("some.h5")


@pytest.mark.parametrize("error", [OSError("bad"), ValueError("bad"), EOFError(), zlib.error("bad"), MemoryError()])
def test_errors_of_bytes_are_damage_wherever_raised(error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"^some\.h5: cannot be read as HDF5 \(.+\); copy it again$"),
        reading(PATH, "HDF5"),
    ):
        raise error


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), AttributeError("x"), RuntimeError("x")])
def test_errors_of_our_own_lines_stay(error: Exception) -> None:
    def ours() -> None:
        raise error

    ours.__code__ = ours.__code__.replace(co_filename=reads.__code__.co_filename)  # as if it stood in the package
    with pytest.raises(type(error)), reading(PATH, "HDF5"):
        ours()
    with pytest.raises(UserError), reading(PATH, "HDF5", also=(type(error),)):
        ours()


def test_errors_of_libraries_are_damage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["loop"] = h5py.SoftLink("/loop")

    @reads("HDF5")
    def read(path: Path) -> None:
        with h5py.File(path) as file:
            file["loop"]

    with pytest.raises(UserError, match=r"a\.h5: cannot be read as HDF5"):
        read(tmp_path / "a.h5")


def test_long_words_of_libraries_are_cut() -> None:
    with pytest.raises(UserError) as caught, reading(PATH, "HDF5"):
        raise OSError("a\nb " * 1000)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_index_lists_that_name_themselves_or_each_other(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((3, 4, 4), np.uint16))
    (tmp_path / "inner.txt").write_text("a.npy,0\na.npy,2\n")
    (tmp_path / "outer.txt").write_text("inner.txt,1\n")
    assert len(open_patterns(tmp_path / "outer.txt")) == 1
    (tmp_path / "self.txt").write_text("./self.txt,0\n")
    (tmp_path / "one.txt").write_text("two.txt,0\n")
    (tmp_path / "two.txt").write_text("one.txt,0\n")
    (tmp_path / "link.txt").symlink_to("link2.txt")
    (tmp_path / "link2.txt").symlink_to("self.txt")
    for name in ("self.txt", "one.txt", "link.txt"):
        with pytest.raises(UserError, match="the index list names itself"):
            open_patterns(tmp_path / name)


@pytest.mark.parametrize("name", ["a#1, 2.npy", "x\nerror.npy", ' "q".npy', "b\udcff.npy", "plain name.npy", "é,3.npy"])
def test_index_lists_carry_any_name(tmp_path: Path, name: str) -> None:
    stack = np.arange(3 * 16).reshape(3, 4, 4).astype(np.uint16)
    with (tmp_path / name).open("wb") as file:
        np.save(file, stack)
    text = f"# all\n{index_line(name, 2)}\n{index_line(name, 0)}\n"
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(open_patterns(tmp_path / "list.txt").read([0, 1]), stack[[2, 0]])


def test_plain_index_lists_stay_as_published(tmp_path: Path) -> None:
    np.save(tmp_path / "a#1.npy", np.ones((3, 4, 4), np.uint16))
    (tmp_path / "list.txt").write_text("a#1.npy, 2 # the last\n  # none\n\na#1.npy,0\n")
    assert len(open_patterns(tmp_path / "list.txt")) == 2
    assert index_line("sub folder/a,b.h5", 3) == "sub folder/a,b.h5,3"


@pytest.mark.parametrize("name", ["100%d%s.h5", "%b.h5", "50%%.h5", "b\udcff.h5", "a\nb.h5"])
def test_selections_link_to_any_name(tmp_path: Path, name: str) -> None:
    stack = np.arange(3 * 16).reshape(3, 4, 4).astype(np.uint16)
    with h5py.File(os.fsencode(tmp_path / name), "w") as file:
        file["20% of %b"] = stack
    (tmp_path / "out").mkdir()
    write_selection(tmp_path / "out" / "selected.cxi", open_patterns(tmp_path / name), [2, 0])
    again = open_patterns(tmp_path / "out" / "selected.cxi")
    np.testing.assert_array_equal(again.read([0, 1]), stack[[2, 0]])


@pytest.mark.parametrize("shape", [(10**12, 4, 4), (2, 10**6, 10**6), (10**6, 10**6)])
def test_giant_announcements_are_refused_before_memory_is_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("photons", shape, "u2", chunks=(1,) * (len(shape) - 2) + (4, 4))
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, 4, 4), np.uint16)) | {"shape": shape}
    with (tmp_path / "a.npy").open("wb") as npy:
        np.lib.format.write_array_header_1_0(npy, header)
    for name, message in (("a.h5", "by its header"), ("a.npy", "cannot be read")):
        with pytest.raises(UserError, match=message):
            open_patterns(tmp_path / name)


@pytest.mark.parametrize("lists", [(-3, 6), (2**31 - 1, 5), (-(2**31), -1)])
def test_dragonfly_lists_of_impossible_lengths(tmp_path: Path, lists: tuple[int, int]) -> None:
    head = np.array([2, 16, 0], "<i4").tobytes().ljust(1024, b"\0")
    body = np.array([*lists, 0, 0, 1, 2, 3], "<i4").tobytes()
    (tmp_path / "a.emc").write_bytes(head + body)
    with pytest.raises(UserError, match=r"a\.emc: "):
        open_patterns(tmp_path / "a.emc")


def test_pipes_devices_and_loops_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "zero.h5").symlink_to("/dev/zero")
    (tmp_path / "gone.h5").symlink_to("nothing.h5")
    (tmp_path / "loop.h5").symlink_to("loop.h5")
    (tmp_path / "list.txt").write_text("pipe.h5,0\n")
    for name, message in (
        ("pipe.h5", "pipe or a device"),
        ("zero.h5", "pipe or a device"),
        ("gone.h5", "link to a file that does not exist"),
        ("loop.h5", "link to a file that does not exist"),
        ("list.txt", r"pipe\.h5: is a pipe"),
        ("x" * 3000, "cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            open_patterns(tmp_path / name)


@pytest.mark.timeout(20)
def test_links_to_pipes_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["photons"] = h5py.ExternalLink("pipe.h5", "photons")
    layout = h5py.VirtualLayout((2, 4, 4), "u2")
    layout[:] = h5py.VirtualSource("pipe.h5", "photons", (2, 4, 4))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("photons", layout)
    for name in ("virtual.h5", "linked.h5"):
        with pytest.raises(UserError):
            open_patterns(tmp_path / name)


@pytest.mark.parametrize("name", ["x\nerror: all is well\x1b[32m", "mask\rerror: y", "error\u202e"])
def test_names_that_forge_lines_choose_nothing_and_are_escaped(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[name], file["b"] = np.ones((3, 8, 8), "u2"), np.ones((3, 8, 8), "u2")
    with pytest.raises(UserError, match=r"data\.keys\.photons=") as caught:
        open_patterns(tmp_path / "a.h5")
    assert printable(name) in str(caught.value) and name not in str(caught.value)
    assert len(open_patterns(tmp_path / "a.h5", PatternKeys(photons=name))) == 3


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3", "\x00", "[" * 100000, '{"a": NaN'])
def test_what_is_no_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: "):
        read_json(tmp_path / "metrics.json")


@pytest.mark.parametrize("text", ['{"methods": 3}', '{"methods": [1]}', '{"methods": {"a": null}}'])
def test_methods_without_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match="methods"):
        read_metrics(tmp_path / "metrics.json")


def test_sound_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"frames": 3, "methods": {"a": {"test/accuracy": 0.5}}}')
    assert read_metrics(tmp_path / "metrics.json")["methods"]["a"]["test/accuracy"] == 0.5
