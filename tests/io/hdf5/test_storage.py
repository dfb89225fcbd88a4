"""Where values lie: virtual data sets, links and raw files; what HDF5 would fill is refused or not measured."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns, write_selection
from spi_lightning.io.hdf5.file import Hdf5Frames

STACK = np.random.default_rng(0).poisson(3.0, (6, 20, 24)).astype(np.uint16)
SHAPE = STACK.shape


def write(path: Path, **sets: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", libver="latest") as file:
        for name, values in sets.items():
            if isinstance(values, h5py.VirtualLayout):
                file.create_virtual_dataset(name, values, fillvalue=7)
            else:
                file[name] = values
    return path


def parts(folder: Path, numbers: tuple[int, ...] = (0, 1, 2)) -> None:
    """Files of two frames each."""
    for number in numbers:
        write(folder / f"part{number}.h5", data=STACK[2 * number : 2 * number + 2])


def stacked(names: dict[int, str]) -> h5py.VirtualLayout:
    """Frames 2k, 2k + 1 from the k-th file."""
    layout = h5py.VirtualLayout(SHAPE, "u2")
    for number, name in names.items():
        layout[2 * number : 2 * number + 2] = h5py.VirtualSource(name, "data", (2, *SHAPE[1:]))
    return layout


def whole(name: str, key: str = "patterns", shape: tuple[int, ...] = SHAPE) -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout(shape, "i8")
    layout[...] = h5py.VirtualSource(name, key, shape)
    return layout


ALL = {number: f"raw/part{number}.h5" for number in range(3)}


def read(path: Path, **keys: str) -> np.ndarray:
    file = open_patterns(path, PatternKeys(**keys))
    return file.read(range(len(file)))


def numbered(path: Path, name: str) -> Path:
    """An endless virtual data set of files that %b counts."""
    with h5py.File(path, "w", libver="latest") as file:
        endless = h5py.h5s.UNLIMITED
        space = h5py.h5s.create_simple((0, *SHAPE[1:]), (endless, *SHAPE[1:]))
        frames = (2, *SHAPE[1:])
        space.select_hyperslab((0, 0, 0), (endless, 1, 1), stride=frames, block=frames)
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_virtual(space, name.encode(), b"data", h5py.h5s.create_simple(frames))
        h5py.h5d.create(file.id, b"patterns", h5py.h5t.NATIVE_UINT16, space, settings)
    return path


def test_sound_virtual_data_sets_are_read_and_every_file_is_named(tmp_path) -> None:
    parts(tmp_path / "raw")
    plain = write(tmp_path / "a.h5", patterns=stacked(ALL))
    nested = write(tmp_path / "b.h5", patterns=whole("a.h5"))
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.h5"
    link.symlink_to("../a.h5")
    external = write(tmp_path / "elsewhere" / "c.h5", patterns=h5py.ExternalLink("../a.h5", "/patterns"))
    interleaved = h5py.VirtualLayout(SHAPE, "u2")
    for k in range(3):
        interleaved[[k, k + 3]] = h5py.VirtualSource(f"raw/part{k}.h5", "data", (2, *SHAPE[1:]))
    for path in (plain, nested, link, external, numbered(tmp_path / "d.h5", "raw/part%b.h5")):
        np.testing.assert_array_equal(read(path), STACK)
        notes = " ".join(map(str, open_patterns(path).notes))
        assert all(f"raw/part{number}.h5" in notes for number in range(3))
    order = [0, 2, 4, 1, 3, 5]
    np.testing.assert_array_equal(read(write(tmp_path / "e.h5", patterns=interleaved)), STACK[order])


@pytest.mark.parametrize("form", ["plain", "nested", "numbered", "other_key", "short"])
def test_missing_sources_are_named(tmp_path, form) -> None:
    parts(tmp_path / "raw", (0, 2))
    path, wanted = write(tmp_path / "a.h5", patterns=stacked(ALL)), r"raw/part1\.h5"
    if form == "nested":
        path = write(tmp_path / "b.h5", patterns=whole("a.h5"))
    elif form == "numbered":
        path = numbered(tmp_path / "b.h5", "raw/part%b.h5")
    elif form == "other_key":
        write(tmp_path / "raw" / "part1.h5", other=STACK[:2])
        wanted = r"data of .*part1\.h5, which does not exist"
    elif form == "short":
        write(tmp_path / "raw" / "part1.h5", data=STACK[:1])
        wanted = r"part1\.h5 has shape \(1, 20, 24\), less than what is mapped"
    with pytest.raises(UserError, match=wanted):
        open_patterns(path)


def test_a_source_file_is_opened_once_for_all_its_data_sets(tmp_path, monkeypatch) -> None:
    write(tmp_path / "parts.h5", **{f"frame{k}": STACK[k : k + 1] for k in range(6)})
    layout = h5py.VirtualLayout(SHAPE, "u2")
    for k in range(6):
        layout[k] = h5py.VirtualSource("parts.h5", f"frame{k}", (1, *SHAPE[1:]))[0]
    path, opened, plain = write(tmp_path / "a.h5", patterns=layout), [], h5py.File

    def counted(name, *words, **more):
        opened.append(Path(str(name)).name)
        return plain(name, *words, **more)

    monkeypatch.setattr(h5py, "File", type("File", (h5py.File,), {"__new__": lambda cls, *a, **k: counted(*a, **k)}))
    np.testing.assert_array_equal(open_patterns(path).read(range(6)), STACK)
    assert opened.count("parts.h5") == 1


def test_frames_that_nothing_is_mapped_to_are_refused(tmp_path) -> None:
    parts(tmp_path / "raw")
    inner = write(tmp_path / "a.h5", patterns=stacked({0: ALL[0], 2: ALL[2]}))
    for path in (inner, write(tmp_path / "b.h5", patterns=whole("a.h5"))):
        with pytest.raises(UserError, match=r"a\.h5: .*nothing is mapped to frames 2 to 3|frames 2 to 3"):
            open_patterns(path)


def test_pixels_that_nothing_is_mapped_to_are_not_measured(tmp_path) -> None:
    layout = h5py.VirtualLayout(SHAPE, "u2")
    for module in (0, 1):
        write(tmp_path / f"m{module}.h5", data=STACK[:, 10 * module : 10 * module + 8])
        layout[:, 10 * module : 10 * module + 8] = h5py.VirtualSource(f"m{module}.h5", "data", (6, 8, 24))
    write(tmp_path / "a.h5", patterns=layout)
    mapped = np.zeros((20, 24), dtype=bool)
    mapped[:8] = mapped[10:18] = True
    for path in (tmp_path / "a.h5", write(tmp_path / "b.h5", patterns=whole("a.h5"))):
        file = open_patterns(path)
        np.testing.assert_array_equal(file.mask, mapped)
        np.testing.assert_array_equal(file.read(range(6)), np.where(mapped, STACK, 0))
        assert any("nothing to 96 pixels" in str(note) for note in file.notes)


def test_a_module_that_ends_early_is_refused(tmp_path) -> None:
    write(tmp_path / "m.h5", data=STACK[:, :10])
    layout = h5py.VirtualLayout(SHAPE, "u2")
    layout[:, :10] = h5py.VirtualSource("m.h5", "data", (6, 10, 24))
    layout[:4, 10:] = h5py.VirtualSource("m.h5", "data", (6, 10, 24))[:4]
    with pytest.raises(UserError, match="parts of frames 4 to 5"):
        open_patterns(write(tmp_path / "a.h5", patterns=layout))


@pytest.mark.parametrize(
    ("name", "values", "keys"),
    [
        ("labels", np.arange(6) % 2, {}),
        ("runs", np.arange(6), {"particle_id": "runs"}),
        ("chosen", np.array([4, 1]), {"index": "chosen"}),
        ("mask", (STACK[0] > 3).astype("i8"), {}),
        ("bad_pixels", (STACK > 5).astype("i8"), {}),
        ("photon_energy", np.linspace(1500, 1600, 6), {}),
    ],
)
def test_missing_sources_of_what_lies_beside_are_named(tmp_path, name, values, keys) -> None:
    write(tmp_path / "side.h5", **{name: values})
    half = h5py.VirtualLayout(values.shape, values.dtype)
    half[:1] = h5py.VirtualSource("side.h5", name, values.shape)[:1]
    sets = {"patterns": STACK, name: h5py.VirtualLayout(values.shape, values.dtype)}
    sets[name][...] = h5py.VirtualSource("side.h5", name, values.shape)
    open_patterns(write(tmp_path / "a.h5", **sets), PatternKeys(**keys))
    if name != "mask":  # rows that nothing is mapped to are not measured
        with pytest.raises(UserError, match=f"{name}: nothing is mapped to"):
            open_patterns(write(tmp_path / "b.h5", **sets | {name: half}), PatternKeys(**keys))
    (tmp_path / "side.h5").rename(tmp_path / "gone.h5")
    with pytest.raises(UserError, match=rf"{name}: its values lie in side\.h5, which does not exist"):
        open_patterns(write(tmp_path / "c.h5", **sets), PatternKeys(**keys))


def test_pixels_that_a_mask_maps_nothing_to_are_not_measured_and_noted(tmp_path) -> None:
    write(tmp_path / "side.h5", mask=(STACK[0] > 3).astype("i8"))
    half = h5py.VirtualLayout(SHAPE[1:], "i8")
    half[:15] = h5py.VirtualSource("side.h5", "mask", SHAPE[1:])[:15]
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["patterns"] = STACK
        file.create_virtual_dataset("mask", half, fillvalue=0)
    opened = open_patterns(tmp_path / "a.h5")
    np.testing.assert_array_equal(opened.mask, (STACK[0] <= 3) & (np.arange(20) < 15)[:, None])
    assert any(f"mask maps nothing to {5 * 24} pixels" in str(note) for note in opened.notes)


def test_virtual_data_sets_in_a_circle(tmp_path) -> None:
    write(tmp_path / "a.h5", patterns=whole("b.h5"))
    write(tmp_path / "b.h5", patterns=whole("a.h5"))
    with pytest.raises(UserError, match="in a cycle"):
        open_patterns(tmp_path / "a.h5")


def raw(path: Path, name: str | Path, key: str = "patterns", offset: int = 0, values: np.ndarray = STACK) -> Path:
    """A data set whose bytes lie in another file, beside whole patterns if it is not them."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset(key, values.shape, values.dtype, external=[(str(name), offset, values.nbytes)])
        if key != "patterns":
            file["patterns"] = STACK
    return path


def test_raw_files_in_the_folder_are_read_wherever_the_program_runs(tmp_path, monkeypatch) -> None:
    (tmp_path / "frames.bin").write_bytes(STACK.tobytes())
    monkeypatch.chdir(tmp_path.parent)
    relative = raw(tmp_path / "a.h5", "frames.bin")
    nested = write(tmp_path / "b.h5", patterns=whole("a.h5"))
    linked = write(tmp_path / "deep" / "c.h5", patterns=h5py.ExternalLink("../a.h5", "/patterns"))
    for path in (relative, nested, linked, raw(tmp_path / "d.h5", tmp_path / "frames.bin")):
        np.testing.assert_array_equal(read(path), STACK)
        assert any("frames.bin" in str(note) for note in open_patterns(path).notes)
    write_selection(tmp_path / "chosen.cxi", open_patterns(relative), [3, 1])
    np.testing.assert_array_equal(read(tmp_path / "chosen.cxi"), STACK[[3, 1]])


@pytest.mark.parametrize(
    ("key", "keys"),
    [("patterns", {}), ("mask", {}), ("labels", {}), ("chosen", {"index": "chosen"}), ("distance", {})],
)
def test_raw_files_elsewhere_are_refused_unless_allowed(tmp_path, monkeypatch, key, keys) -> None:
    values = {"mask": STACK[0] // 9, "labels": STACK[:, 0, 0] % 2, "chosen": np.array([2, 3]), "distance": np.ones(1)}
    held = np.ascontiguousarray(values.get(key, STACK))
    (tmp_path / "secret.bin").write_bytes(held.tobytes())
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link.bin").symlink_to("../secret.bin")
    for number, name in enumerate((tmp_path / "secret.bin", "../secret.bin", "link.bin")):
        path = raw(tmp_path / "set" / f"{number}.h5", name, key, values=held)
        with pytest.raises(UserError, match=r"secret\.bin, external raw storage outside the folder.*SPI_RAW_STORAGE="):
            open_patterns(path, PatternKeys(**keys))
        with monkeypatch.context() as word:
            word.setenv("SPI_RAW_STORAGE", str(tmp_path))
            open_patterns(path, PatternKeys(**keys))


def test_raw_files_in_a_source_or_behind_a_link_are_refused_too(tmp_path) -> None:
    (tmp_path / "secret.bin").write_bytes(STACK.tobytes())
    raw(tmp_path / "set" / "a.h5", "../secret.bin")
    for name, item in (("b", whole("a.h5")), ("c", h5py.ExternalLink("a.h5", "/patterns"))):
        with pytest.raises(UserError, match="outside the folder"):
            open_patterns(write(tmp_path / "set" / f"{name}.h5", patterns=item))
    raw(tmp_path / "set" / "d.h5", "../secret.bin", values=STACK[0])
    path = write(tmp_path / "set" / "e.h5", patterns=STACK)
    with pytest.raises(UserError, match="outside the folder"):
        open_patterns(path, PatternKeys(mask=str(tmp_path / "set" / "d.h5")))


def test_raw_files_that_end_early_or_are_gone(tmp_path) -> None:
    (tmp_path / "frames.bin").write_bytes(STACK[:4].tobytes())
    with pytest.raises(UserError, match=f"too short .3840 of {STACK.nbytes} bytes."):
        open_patterns(raw(tmp_path / "a.h5", "frames.bin"))
    with pytest.raises(UserError, match=f"too short .3820 of {STACK.nbytes} bytes."):
        open_patterns(raw(tmp_path / "b.h5", "frames.bin", offset=20))
    with pytest.raises(UserError, match=r"gone\.bin, which does not exist"):
        open_patterns(raw(tmp_path / "c.h5", "gone.bin"))


_WRITER = """
import h5py, sys
with h5py.File(sys.argv[1], "w", libver="latest") as file:
    frames = file.create_dataset("patterns", (0, 20, 24), "u2", maxshape=(None, 20, 24), chunks=(1, 20, 24))
    if sys.argv[2] == "swmr":
        file.swmr_mode = True
    for number in range(4):
        frames.resize(number + 1, 0)
        frames[number] = number + 1
        frames.flush()
    file.flush()
    print("ready", flush=True)
    input()
"""


@pytest.mark.parametrize("mode", ["swmr", "plain"])
def test_a_file_that_is_being_written(tmp_path, monkeypatch, mode) -> None:
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "a.h5"), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        if mode == "swmr":
            file = open_patterns(tmp_path / "a.h5")
            np.testing.assert_array_equal(file.read(range(4))[:, 0, 0], [1, 2, 3, 4])
            assert any("4 frames so far" in str(note) for note in file.notes)
        else:
            (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes())  # as a crash leaves it
            with pytest.raises(UserError, match=r"b\.h5: a program has .* open for writing, or ended without closing"):
                open_patterns(tmp_path / "b.h5")
        writer.communicate("\n")


@pytest.mark.parametrize("name", ["labels", "is_single_hit", "mask", "pixel_mask"])
def test_links_to_nothing_are_not_left_out_in_silence(tmp_path, name) -> None:
    path = write(tmp_path / "a.h5", patterns=STACK, **{name: h5py.ExternalLink("gone.h5", "/x")})
    with pytest.raises(UserError, match=rf"'{name}' is a link to /x of gone\.h5, which does not exist"):
        open_patterns(path)
    path = write(tmp_path / "b.h5", patterns=STACK, distance=h5py.SoftLink("/gone"))
    assert any("distance is empty" in str(note) for note in open_patterns(path).notes)


def test_the_mask_of_another_file_of_patterns(tmp_path) -> None:
    mask = (STACK[0] > 5).astype("u1")
    write(tmp_path / "first.h5", patterns=STACK, mask=mask)
    file = open_patterns(write(tmp_path / "a.h5", patterns=STACK), PatternKeys(mask=str(tmp_path / "first.h5")))
    np.testing.assert_array_equal(file.mask, mask == 0)


def test_many_reordered_mappings_are_found_whole(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "source.h5", "w") as file:
        file["d"] = np.arange(600, dtype="u2")[:, None, None] * np.ones((1, 4, 5), "u2")
    layout, source = h5py.VirtualLayout((600, 4, 5), "u2"), h5py.VirtualSource("source.h5", "d", shape=(600, 4, 5))
    order = np.random.default_rng(0).permutation(600)
    for frame, of in enumerate(order):
        layout[frame] = source[of]
    with h5py.File(tmp_path / "sound.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("patterns", layout)
    frames = Hdf5Frames(tmp_path / "sound.h5", "patterns")
    assert frames.unmapped is None
    assert frames.read(0, 600)[:, 1, 1].tolist() == order.tolist()
