"""Answers are kept under what was read: pairs of questions that must not share an answer, small and large."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.hdf5 import file as hdf5_file
from spi_lightning.io.patterns import content_key
from spi_lightning.io.patterns.content_key import content_key as key_of

FRAMES = np.random.default_rng(0).poisson(2.0, (100, 8, 6)).astype(np.uint16)
OTHERS = FRAMES.copy()
OTHERS[41, 3, 3] += 1  # not among the frames that are sampled of a large file


def hdf5(path: Path, **data: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            file[name] = values
    return path


def virtual(path: Path, *sources: str) -> Path:
    layout = h5py.VirtualLayout((100 * len(sources), 8, 6), "u2")
    for number, name in enumerate(sources):
        layout[100 * number : 100 * (number + 1)] = h5py.VirtualSource(name, "photons", (100, 8, 6))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("photons", layout)
    return path


def keep_times(path: Path, change: Callable[[], Any]) -> None:
    """Change a file and set the time of its content back, as a program that hides its traces or a coarse clock does."""
    while hdf5_file._OPEN:  # another process asks the second time
        hdf5_file._OPEN.popitem()[1][0].close()
    times = path.stat()
    change()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def rewritten(folder: Path) -> tuple[Any, Any]:
    path = hdf5(folder / "a.h5", photons=FRAMES)
    return dict(path=path), lambda: keep_times(path, lambda: hdf5(path, photons=OTHERS))


def other_data_set(folder: Path) -> tuple[Any, Any]:
    path = hdf5(folder / "a.h5", a=FRAMES, b=OTHERS)
    return dict(path=path, keys=PatternKeys(photons="a")), dict(path=path, keys=PatternKeys(photons="b"))


def other_index(folder: Path) -> tuple[Any, Any]:
    path = hdf5(folder / "a.h5", photons=FRAMES, first=np.arange(0, 80), second=np.arange(10, 90))
    return dict(path=path, keys=PatternKeys(index="first")), dict(path=path, keys=PatternKeys(index="second"))


def other_order(folder: Path) -> tuple[Any, Any]:
    order = np.arange(100)
    order[[40, 41]] = 41, 40
    path = hdf5(folder / "a.h5", photons=FRAMES, index=order)
    return dict(path=path), dict(path=path, keys=PatternKeys(index="index"))


def other_frame_masks(folder: Path) -> tuple[Any, Any]:
    mask = np.zeros((100, 8, 6), np.uint8)
    half = mask.copy()
    half[41, :4] = 1
    path = hdf5(folder / "a.h5", photons=FRAMES, none=mask, half=half)
    return tuple(dict(path=path, keys=PatternKeys(mask=name), mask_convention="bad") for name in ("none", "half"))


def other_mask_file(folder: Path) -> tuple[Any, Any]:
    path, mask = hdf5(folder / "a.h5", photons=FRAMES), folder / "mask.npy"
    np.save(mask, np.ones((8, 6), np.uint8))

    def change() -> None:
        values = np.load(mask)
        values[2] = 0
        keep_times(mask, lambda: np.save(mask, values))

    return dict(path=path, keys=PatternKeys(mask=str(mask)), mask_convention="good"), change


def other_sense(folder: Path) -> tuple[Any, Any]:
    mask = np.zeros((8, 6), np.uint8)
    mask[:4] = 1
    path = hdf5(folder / "a.h5", photons=FRAMES, mask=mask)
    return dict(path=path, mask_convention="good"), dict(path=path, mask_convention="bad")


def middle_of_a_glob(folder: Path) -> tuple[Any, Any]:
    paths = [hdf5(folder / f"part{i}.h5", photons=FRAMES) for i in range(3)]
    return dict(path=str(folder / "part*.h5")), lambda: keep_times(paths[1], lambda: hdf5(paths[1], photons=OTHERS))


def middle_of_a_list(folder: Path) -> tuple[Any, Any]:
    paths = [hdf5(folder / f"part{i}.h5", photons=FRAMES) for i in range(3)]
    lines = "\n".join(f"part{i}.h5,{k}" for i in (0, 1, 2) for k in range(100))
    (folder / "list.txt").write_text(lines)
    return dict(path=folder / "list.txt"), lambda: keep_times(paths[1], lambda: hdf5(paths[1], photons=OTHERS))


def virtual_source(folder: Path) -> tuple[Any, Any]:
    paths = [hdf5(folder / f"part{i}.h5", photons=FRAMES) for i in range(3)]
    path = virtual(folder / "all.h5", *(one.name for one in paths))
    return dict(path=path), lambda: keep_times(paths[1], lambda: hdf5(paths[1], photons=OTHERS))


def virtual_of_a_virtual(folder: Path) -> tuple[Any, Any]:
    source = hdf5(folder / "raw.h5", photons=FRAMES)
    virtual(folder / "inner.h5", "raw.h5")
    path = virtual(folder / "outer.h5", "inner.h5")
    return dict(path=path), lambda: keep_times(source, lambda: hdf5(source, photons=OTHERS))


def external_link(folder: Path) -> tuple[Any, Any]:
    source, path = hdf5(folder / "raw.h5", photons=FRAMES), folder / "master.h5"
    with h5py.File(path, "w") as file:
        file["photons"] = h5py.ExternalLink("raw.h5", "photons")
    return dict(path=path), lambda: keep_times(source, lambda: hdf5(source, photons=OTHERS))


def soft_link_of_the_folder(folder: Path) -> tuple[Any, Any]:
    hdf5(folder / "a.h5", photons=FRAMES)
    hdf5(folder / "b.h5", photons=OTHERS)
    link = folder / "now.h5"
    link.symlink_to("a.h5")

    def change() -> None:
        link.unlink()
        link.symlink_to("b.h5")

    return dict(path=link), change


def soft_link_inside(folder: Path) -> tuple[Any, Any]:
    path = hdf5(folder / "a.h5", a=FRAMES, b=OTHERS)
    with h5py.File(path, "r+") as file:
        file["photons"] = h5py.SoftLink("/a")

    def point_elsewhere() -> None:
        with h5py.File(path, "r+") as file:
            del file["photons"]
            file["photons"] = h5py.SoftLink("/b")

    return dict(path=path), lambda: keep_times(path, point_elsewhere)


def order_of_files(folder: Path) -> tuple[Any, Any]:
    paths = [str(hdf5(folder / f"{name}.h5", photons=frames)) for name, frames in (("a", FRAMES), ("b", OTHERS))]
    return dict(path=paths), dict(path=paths[::-1])


def other_gain(folder: Path) -> tuple[Any, Any]:
    path = hdf5(folder / "a.h5", photons=FRAMES * np.float32(10))
    return dict(path=path, adu_per_photon=10.0), dict(path=path, adu_per_photon=10.001)


def rewritten_tiff(folder: Path) -> tuple[Any, Any]:
    path = folder / "a.tif"
    tifffile.imwrite(path, FRAMES)
    return dict(path=path), lambda: keep_times(path, lambda: tifffile.imwrite(path, OTHERS))


def rewritten_npy(folder: Path) -> tuple[Any, Any]:
    path = folder / "a.npy"
    np.save(path, FRAMES)
    return dict(path=path), lambda: keep_times(path, lambda: np.save(path, OTHERS))


def other_distance(folder: Path) -> tuple[Any, Any]:
    path = hdf5(folder / "a.h5", photons=FRAMES)

    def write(distance: float) -> None:
        with h5py.File(path, "r+") as file:
            file.attrs["detector_distance_m"] = distance

    write(0.5)
    return dict(path=path), lambda: keep_times(path, lambda: write(0.6))


PAIRS = [
    rewritten,
    other_data_set,
    other_index,
    other_order,
    other_frame_masks,
    other_mask_file,
    other_sense,
    middle_of_a_glob,
    middle_of_a_list,
    virtual_source,
    virtual_of_a_virtual,
    external_link,
    soft_link_of_the_folder,
    soft_link_inside,
    order_of_files,
    other_gain,
    rewritten_tiff,
    rewritten_npy,
    other_distance,
]


@pytest.mark.parametrize("large", [False, True], ids=["read whole", "too large to read whole"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.__name__)
def test_other_frames_have_another_key(pair, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        monkeypatch.setattr(content_key, "READ_WHOLE", 0)
    first, second = pair(tmp_path)
    key = key_of(open_patterns(**first))
    assert key == key_of(open_patterns(**first)) and len(key) == 64
    if callable(second):
        second()
        second = first
    assert key != key_of(open_patterns(**second))


def test_the_same_frames_have_the_same_key_whatever_their_name_and_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FRAMES)
    path = hdf5(tmp_path / "b.h5", photons=FRAMES.astype(np.float32), label=np.arange(100) % 2)
    one, other = open_patterns(tmp_path / "a.npy"), open_patterns(path)
    assert key_of(one) == key_of(other)
    assert key_of(one, ["is_single_hit"]) != key_of(other, ["is_single_hit"])


def test_every_file_that_was_opened_is_known(tmp_path: Path) -> None:
    for i in range(2):
        hdf5(tmp_path / f"part{i}.h5", photons=FRAMES)
    path = virtual(tmp_path / "all.h5", "part0.h5", "part1.h5")
    np.save(tmp_path / "mask.npy", np.ones((8, 6), np.uint8))
    (tmp_path / "labels.txt").write_text("1\n" * 200)
    keys = PatternKeys(mask=str(tmp_path / "mask.npy"), label=str(tmp_path / "labels.txt"))
    read = {one.name for one in open_patterns(path, keys).files_read}
    assert read == {"all.h5", "part0.h5", "part1.h5", "mask.npy", "labels.txt"}


def test_frame_masks_count_beside_a_mask_that_all_share(tmp_path: Path) -> None:
    shared = np.zeros((8, 6), np.uint8)
    shared[0] = 1
    each = np.zeros(FRAMES.shape, np.uint8)
    dark = tuple(np.argwhere(FRAMES[:, 1:] == 0)[0] + [0, 1, 0])  # what it masks held no photon
    each[dark] = 1
    path = hdf5(tmp_path / "a.h5", photons=FRAMES, bad_pixels=shared, bad_frames=each, bad_none=0 * each)
    keys = [PatternKeys(mask=f"bad_pixels,{name}") for name in ("bad_frames", "bad_none")]
    assert key_of(open_patterns(path, keys[0])) != key_of(open_patterns(path, keys[1]))
