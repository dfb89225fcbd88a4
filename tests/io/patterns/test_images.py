import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.scans.bragg_scan import open_scan

PHOTONS = np.random.default_rng(0).poisson(3.0, (7, 6, 5)).astype(np.uint16)


def save(path, array, **options) -> Path:
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.npy", {}),
        ("a.tif", {}),
        ("a.tiff", {"photometric": "minisblack", "compression": "zlib"}),
        ("a.tif", {"imagej": True}),
        ("a.tif", {"bigtiff": True, "photometric": "minisblack"}),
    ],
)
def test_stacks_are_read_frame_by_frame(tmp_path, name, options) -> None:
    opened = open_patterns(save(tmp_path / name, PHOTONS, **options))
    assert opened.shape == PHOTONS.shape
    for file in (opened, pickle.loads(pickle.dumps(opened))):
        np.testing.assert_array_equal(file.read([6, 2, 2, 3]), PHOTONS[[6, 2, 2, 3]])


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_all_pages_of_a_hyperstack_are_frames(tmp_path, options) -> None:
    photons = np.random.default_rng(0).poisson(3.0, (6, 6, 5)).astype(np.uint16)
    path = save(tmp_path / "a.tif", photons.reshape(2, 3, 6, 5), metadata={"axes": "TZYX"}, **options)
    opened = open_patterns(path)
    np.testing.assert_array_equal(opened.read(range(6)), photons)
    assert any("axes TZYX of 2 x 3 x 6 x 5: all 6 pages are read as frames" in str(note) for note in opened.notes)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_single_images_make_a_set_through_a_glob(tmp_path, suffix) -> None:
    for i, frame in enumerate(PHOTONS):
        save(tmp_path / f"frame_{i}{suffix}", frame)
    np.testing.assert_array_equal(open_patterns(str(tmp_path / "frame_*")).read([5, 0]), PHOTONS[[5, 0]])


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_masks_and_labels_beside(tmp_path, suffix) -> None:
    good = np.ones((6, 5), dtype=np.uint8)
    good[0] = 0
    save(tmp_path / f"mask{suffix}", good)
    (tmp_path / "labels.csv").write_text("1,0,1,0,1,0,-1\n")
    keys = PatternKeys(label=str(tmp_path / "labels.csv"), mask=str(tmp_path / f"mask{suffix}"))
    opened = open_patterns(save(tmp_path / f"a{suffix}", PHOTONS), keys)
    np.testing.assert_array_equal(opened.read([1]), PHOTONS[[1]] * good)
    np.testing.assert_array_equal(opened.labels["is_single_hit"], [1, 0, 1, 0, 1, 0, -1])


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_bad_files_are_refused(tmp_path, suffix) -> None:
    whole = save(tmp_path / f"whole{suffix}", PHOTONS).read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"cut\{suffix}"):
        open_patterns(tmp_path / f"cut{suffix}").read([6])
    with pytest.raises(UserError, match="modular"):
        open_patterns(save(tmp_path / f"four{suffix}", np.zeros((2, 2, 20, 20), np.uint16)))
    with pytest.raises(UserError, match="not a whole number"):
        open_patterns(save(tmp_path / f"float{suffix}", PHOTONS + np.float32(0.4)))


def test_npy_of_objects_is_not_unpickled(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        open_patterns(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros(5))
    with pytest.raises(UserError, match=r"shape \(5,\)"):
        open_patterns(tmp_path / "b.npy")


def appended(path: Path, *arrays: np.ndarray, **options) -> Path:
    for array in arrays:
        tifffile.imwrite(path, array, append=True, **options)
    return path


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}, {"metadata": None}])
@pytest.mark.parametrize("cut", [(1, 2, 3, 4, 5, 6), (3,), (1,)])
def test_appended_pages_of_one_shape_are_frames(tmp_path, cut, options) -> None:
    opened = open_patterns(appended(tmp_path / "a.tif", *np.split(PHOTONS, cut), **options))
    assert opened.shape == PHOTONS.shape
    np.testing.assert_array_equal(opened.read([6, 0, 1, 2, 5]), PHOTONS[[6, 0, 1, 2, 5]])


def test_a_thumbnail_is_left_out_and_noted(tmp_path) -> None:
    thumbnail = np.full((2, 2), 200, np.uint16)
    for name, parts in (("first.tif", [thumbnail, *PHOTONS]), ("last.tif", [PHOTONS, thumbnail])):
        opened = open_patterns(appended(tmp_path / name, *parts))
        np.testing.assert_array_equal(opened.read(range(7)), PHOTONS)
        assert any("7 pages of 6 x 5 are read, not 1 of 2 x 2" in str(note) for note in opened.notes)
    between = [page for frame in PHOTONS for page in (thumbnail, frame)]
    np.testing.assert_array_equal(open_patterns(appended(tmp_path / "each.tif", *between)).read(range(7)), PHOTONS)


def test_a_colour_preview_is_left_out_and_noted(tmp_path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((6, 5, 3), np.uint8), photometric="rgb")
        file.write(PHOTONS)
    opened = open_patterns(tmp_path / "a.tif")
    np.testing.assert_array_equal(opened.read(range(7)), PHOTONS)
    assert any("not 1 in colours" in str(note) for note in opened.notes)


@pytest.mark.parametrize("shape", [(48, 6, 3), (6, 48, 4), (2, 6, 8, 3)])
def test_colours_are_refused(tmp_path, shape) -> None:
    kind = {"photometric": "rgb"} | ({"extrasamples": ["unassalpha"]} if shape[-1] == 4 else {})
    tifffile.imwrite(tmp_path / "a.tif", np.ones(shape, np.uint8), **kind)
    with pytest.raises(UserError, match="an image in colours"):
        open_patterns(tmp_path / "a.tif")


def test_pages_of_different_shapes_are_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"different shapes \(3 of 6 x 5, 4 of 5 x 6\)"):
        open_patterns(appended(tmp_path / "a.tif", *PHOTONS[:3], *PHOTONS[3:].transpose(0, 2, 1)))
    with pytest.raises(UserError, match="different shapes"):
        open_patterns(appended(tmp_path / "b.tif", PHOTONS[:3], np.zeros((12, 10), np.uint16)))


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"{\nHeaderID = EH:000001 ;\nDim_1 = 5 ;\n", "an EDF image"),
        (b"{\nHEADER_BYTES=  512;\n", "an SMV"),
        (b"###CBF: VERSION 1.5\r\n", "a CBF image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    ],
)
@pytest.mark.parametrize("suffix", [".tif", ".edf", ".img", ".h5"])
def test_other_formats_are_named(tmp_path, head, what, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(head.ljust(1024) + bytes(60))
    for read in (open_patterns, open_scan, lambda one: open_patterns(save(tmp_path / "b.npy", PHOTONS), keys(one))):
        with pytest.raises(UserError, match=f"is {re.escape(what)}") as error:
            read(path)
        assert "damaged" not in str(error.value) and "copy it again" not in str(error.value)


def keys(mask: Path) -> PatternKeys:
    return PatternKeys(mask=str(mask))


@pytest.mark.parametrize("offset", [0, 4, 10**9])
def test_pages_whose_data_lie_where_none_can(tmp_path, offset: int) -> None:
    path = tmp_path / "stack.tif"
    with tifffile.TiffWriter(path) as out:
        for _ in range(3):
            out.write(np.ones((12, 16), np.uint16), photometric="minisblack", contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        position = tiff.pages[1].tags["StripOffsets"].valueoffset
    content = path.read_bytes()
    path.write_bytes(content[:position] + offset.to_bytes(4, "little") + content[position + 4 :])
    with pytest.raises(UserError, match="inside the header of the file" if offset < 8 else "cannot be read as TIFF"):
        open_patterns(path).read([0, 1, 2])


def test_a_page_without_rows_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", PHOTONS, photometric="minisblack")
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags["ImageLength"]
        position, size = tag.valueoffset, {"SHORT": 2, "LONG": 4}[tag.dtype.name]
    path.write_bytes(content[:position] + bytes(size) + content[position + size :])
    with pytest.raises(UserError):
        open_patterns(path)
