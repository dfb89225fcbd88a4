""""""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, make_detector, open_patterns, read_detector, write_detector, write_emc

PHOTONS = np.random.default_rng(0).poisson(0.7, (7, 6, 6))


def binary(path, photons, kind=0) -> None:
    """The layout of the format page, written by hand."""
    flat = photons.reshape(len(photons), -1)
    header = np.zeros(256, "<i4")
    header[:3] = len(flat), flat.shape[1], kind
    if kind == 0:
        ones = [np.flatnonzero(frame == 1) for frame in flat]
        multi = [np.flatnonzero(frame > 1) for frame in flat]
        counts = [frame[frame > 1] for frame in flat]
        parts = [[len(o) for o in ones], [len(m) for m in multi], *map(np.concatenate, (ones, multi, counts))]
        body = b"".join(np.asarray(part, "<i4").tobytes() for part in parts)
    else:
        body = flat.astype("<i4" if kind == 1 else "<f8").tobytes()
    path.write_bytes(header.tobytes() + body)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_binary_files_of_every_kind(tmp_path, kind) -> None:
    binary(tmp_path / "photons.emc", PHOTONS, kind)
    opened = open_patterns(tmp_path / "photons.emc")
    assert opened.format == "Dragonfly emc, binary"
    assert opened.shape == (7, 6, 6)
    np.testing.assert_array_equal(opened.read([5, 0, 1, 5]), PHOTONS[[5, 0, 1, 5]])


def test_hdf5_files_under_the_same_suffix(tmp_path) -> None:
    with h5py.File(tmp_path / "photons.emc", "w") as file:
        file["num_pix"] = np.array([36], np.int32)
        for name, pick in [
            ("place_ones", lambda f: np.flatnonzero(f == 1)),
            ("place_multi", lambda f: np.flatnonzero(f > 1)),
            ("count_multi", lambda f: f[f > 1]),
        ]:
            lists = file.create_dataset(name, (7,), h5py.vlen_dtype(np.int32))
            for i, frame in enumerate(PHOTONS.reshape(7, -1)):
                lists[i] = pick(frame)
    opened = open_patterns(tmp_path / "photons.emc")
    assert opened.format == "Dragonfly emc, HDF5"
    np.testing.assert_array_equal(opened.read([6, 2]), PHOTONS[[6, 2]])


@given(
    seed=st.integers(0, 99), patterns=st.integers(1, 5), mean=st.floats(0, 3), form=st.sampled_from(["binary", "hdf5"])
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(tmp_path, seed, patterns, mean, form) -> None:
    photons = np.random.default_rng(seed).poisson(mean, (patterns, 4, 4))
    assert write_emc(tmp_path / "out.emc", iter(photons), form) == patterns
    np.testing.assert_array_equal(open_patterns(tmp_path / "out.emc").read(range(patterns)), photons)


def test_our_binary_file_is_that_of_the_format_page(tmp_path) -> None:
    binary(tmp_path / "by_hand.emc", PHOTONS)
    write_emc(tmp_path / "ours.emc", [PHOTONS[:3], PHOTONS[3:].astype(np.float32)])
    assert (tmp_path / "ours.emc").read_bytes() == (tmp_path / "by_hand.emc").read_bytes()


@pytest.mark.parametrize("name", ["det.h5", "det.dat"])
@pytest.mark.parametrize("polarisation", ["none", "x", "y"])
def test_detector_files_keep_geometry_and_classes(tmp_path, name, polarisation) -> None:
    measured = np.ones((4, 9), dtype=bool)
    measured[1, 2:5] = False
    detector = make_detector((4, 9), 968.3, (1.25, 4.5), measured, polarisation=polarisation)
    write_detector(tmp_path / name, detector)
    back = read_detector(tmp_path / name)
    assert back.shape == (4, 9)
    assert back.beam_centre == pytest.approx((1.25, 4.5), abs=1e-6)
    np.testing.assert_array_equal(back.classes, np.where(measured, 0, 2))
    np.testing.assert_allclose(back.q, detector.q, atol=1e-12)
    np.testing.assert_allclose(back.correction, detector.correction)


def test_detector_lies_on_the_ewald_sphere() -> None:
    q = make_detector((11, 13), 20.0, ewald_radius=50.0).q
    np.testing.assert_allclose(np.linalg.norm(q + np.array([0, 0, 50.0]), axis=-1), 50.0)
    np.testing.assert_allclose(q[5, 6], 0, atol=1e-12)


def test_a_detector_file_gives_shape_mask_and_centre(tmp_path) -> None:
    photons = np.random.default_rng(0).poisson(1.0, (3, 4, 9))
    measured = np.ones((4, 9), dtype=bool)
    measured[1, 2:5] = False
    write_emc(tmp_path / "a.emc", [photons])
    write_detector(tmp_path / "det.dat", make_detector((4, 9), 900.0, (1.5, 4.0), measured))
    np.savetxt(tmp_path / "labels.txt", [1, 0, 1], fmt="%d")
    with pytest.raises(UserError, match=r"gone\.dat: there is no such file"):
        open_patterns(tmp_path / "a.emc", PatternKeys(mask=str(tmp_path / "gone.dat")))
    opened = open_patterns(
        tmp_path / "a.emc", PatternKeys(mask=str(tmp_path / "det.dat"), label=str(tmp_path / "labels.txt"))
    )
    np.testing.assert_array_equal(opened.mask, measured)
    np.testing.assert_array_equal(opened.read(range(3)), np.where(measured, photons, 0))
    np.testing.assert_array_equal(opened.labels["is_single_hit"], [1, 0, 1])
    assert opened.geometry["beam_centre"] == pytest.approx([1.5, 4.0])


def test_pixels_measured_but_unused_for_orientation_are_measured(tmp_path) -> None:
    write_emc(tmp_path / "a.emc", [PHOTONS])
    detector = make_detector((6, 6), 900.0)
    detector.classes[0], detector.classes[1] = 1, 2
    write_detector(tmp_path / "det.h5", detector)
    mask = open_patterns(tmp_path / "a.emc", PatternKeys(mask=str(tmp_path / "det.h5"))).mask
    np.testing.assert_array_equal(mask, detector.classes < 2)


def test_bad_files_are_refused(tmp_path) -> None:
    path = tmp_path / "a.emc"
    binary(path, PHOTONS)
    content = path.read_bytes()
    for size in (len(content) - 4, 1024 + 20):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="truncated"):
            open_patterns(path)
    binary(path, PHOTONS[:, :5])
    with pytest.raises(UserError, match=r"30 pixels, not a square; name the matching .* data.keys.mask="):
        open_patterns(path)
    damaged = bytearray(content)
    damaged[-4 * (PHOTONS == 1).sum() - 8 * (PHOTONS > 1).sum() :][:4] = b"\xff\xff\x00\x00"
    start = 1024 + 8 * 7
    damaged[start : start + 4] = b"\xff\xff\x00\x00"
    path.write_bytes(bytes(damaged))
    with pytest.raises(UserError, match="damaged: a pixel number"):
        open_patterns(path)
    path.write_bytes(np.array([0, 36, 0], "<i4").tobytes() + bytes(1012))
    with pytest.raises(UserError, match="empty"):
        open_patterns(path)
    with h5py.File(path, "w") as file:
        file["num_pix"], file["place_ones"] = [36], np.zeros(3)
    with pytest.raises(UserError, match="lacks place_multi, count_multi"):
        open_patterns(path)


@pytest.mark.parametrize("photons", [[], [np.full((2, 2), 0.5)], [np.full((2, 2), -1)], [np.full((2, 2), np.nan)]])
@pytest.mark.parametrize("form", ["binary", "hdf5"])
def test_what_is_no_photon_count_is_not_written(tmp_path, photons, form) -> None:
    with pytest.raises(UserError, match=r"out\.emc"):
        write_emc(tmp_path / "out.emc", photons, form)
    assert list(tmp_path.iterdir()) == []


def test_shapes_must_agree_and_forms_be_known(tmp_path) -> None:
    with pytest.raises(UserError, match="pattern 1 has shape"):
        write_emc(tmp_path / "out.emc", [np.ones((2, 2)), np.ones((3, 3))])
    with pytest.raises(UserError, match="choose binary or hdf5"):
        write_emc(tmp_path / "out.emc", [np.ones((2, 2))], "text")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4\n0 0 0 1 0\n0 1 0 1 0\n", "old detector file"),
        ("4 100 100\n0 0 0 1 0\n0 1 0 1 0\n", "states 4 pixels, but 2 rows"),
        ("2 100 100\n0 0 0 1 0\n0 x 0 1 0\n", "cannot be read"),
        ("3 100 100\n0 0 0 1 0\n0 1 0 1 0\n1 3 0 1 0\n", "not a full rectangle"),
    ],
)
def test_bad_detector_files_are_refused(tmp_path, text, message) -> None:
    (tmp_path / "det.dat").write_text(text)
    with pytest.raises(UserError, match=message):
        read_detector(tmp_path / "det.dat")


def sparse(path: Path, ones: list, multi: list, counts: list, hdf5: bool) -> Path:
    """Lists of three frames on 4 x 4 pixels, written as they are."""
    if hdf5:
        with h5py.File(path, "w") as file:
            file["num_pix"] = [16]
            for name, rows in (("place_ones", ones), ("place_multi", multi), ("count_multi", counts)):
                stored = file.create_dataset(name, (len(rows),), h5py.vlen_dtype(np.int32))
                for number, row in enumerate(rows):
                    stored[number] = np.array(row, np.int32)
        return path
    head = np.array([len(ones), 16, 0], "<i4").tobytes().ljust(1024, b"\0")
    sizes = np.array([[len(row) for row in part] for part in (ones, multi)], "<i4").tobytes()
    body = [np.array([pixel for row in part for pixel in row], "<i4").tobytes() for part in (ones, multi, counts)]
    path.write_bytes(head + sizes + b"".join(body))
    return path


ONES, MULTI, COUNTS = [[0, 3], [5], [1, 2]], [[1], [7, 8], []], [[4], [2, 3], []]


@pytest.mark.parametrize("hdf5", [False, True])
def test_sound_lists_and_the_square_that_is_assumed(tmp_path, hdf5) -> None:
    file = open_patterns(sparse(tmp_path / "a.emc", ONES, MULTI, COUNTS, hdf5))
    assert file.read([0, 1, 2]).sum((1, 2)).tolist() == [6, 6, 2] and file.read([1])[0, 1, 3] == 2
    assert any("taken as a square of 4 x 4" in str(note) for note in file.notes)


@pytest.mark.parametrize("hdf5", [False, True])
@pytest.mark.parametrize(
    ("ones", "multi", "counts", "message"),
    [
        ([[0, 3], [5, 5], [1]], MULTI, COUNTS, "frame 1 names a pixel twice"),
        ([[0, 1], [5], [1]], MULTI, COUNTS, "frame 0 names a pixel twice"),
        (ONES, [[1], [7, 7], []], COUNTS, "frame 1 names a pixel twice"),
        (ONES, MULTI, [[4], [2, 2**31 - 1], []], "frame 1 has 2147483647 photons in pixel 8"),
        (ONES, MULTI, [[-4], [2, 3], []], "frame 0 has -4 photons"),
        ([[0, 16], [5], [1]], MULTI, COUNTS, "outside 0 to 15"),
    ],
)
def test_lists_that_contradict_themselves(tmp_path, ones, multi, counts, message, hdf5) -> None:
    with pytest.raises(UserError, match=message):
        open_patterns(sparse(tmp_path / "a.emc", ones, multi, counts, hdf5))


def test_lists_of_unequal_length(tmp_path) -> None:
    with pytest.raises(UserError, match="3 lists place_ones, 2 lists place_multi, 2 lists count_multi"):
        open_patterns(sparse(tmp_path / "a.emc", ONES, MULTI[:2], COUNTS[:2], True))
    with pytest.raises(UserError, match="frame 0 has 1 pixels in place_multi and 2 numbers in count_multi"):
        open_patterns(sparse(tmp_path / "b.emc", ONES, MULTI, [[4, 2], [3], []], True))
    with pytest.raises(UserError, match="68 by its header and lists"):
        open_patterns(sparse(tmp_path / "c.emc", ONES, MULTI, [[4], [2, 3], [9]], False))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"detd": -500.0}, "distance is -500 pixel, which is impossible"),
        ({"ewald_rad": np.nan}, "Ewald radius is nan voxel, which is impossible"),
        ({"detd": 0.0}, "distance is 0 pixel, which is impossible"),
        ({"unit": "mm"}, "detd is 500.0 mm, but Dragonfly uses pixels"),
    ],
)
def test_detectors_whose_distance_cannot_be(tmp_path, change, message) -> None:
    write_detector(tmp_path / "det.h5", make_detector((6, 8), 500.0))
    with h5py.File(tmp_path / "det.h5", "r+") as file:
        for name, value in change.items():
            if name == "unit":
                file["detd"].attrs["units"] = value
            else:
                file[name][()] = value
    with pytest.raises(UserError, match=message):
        read_detector(tmp_path / "det.h5")


@pytest.mark.parametrize(("count", "sound"), [(3.0, True), (2.5, False), (np.nan, False)])
def test_lists_of_floats_hold_whole_numbers(tmp_path, count, sound) -> None:
    with h5py.File(tmp_path / "a.emc", "w") as file:
        file["num_pix"] = 4
        for name, values in (("place_ones", [0.0]), ("place_multi", [2.0]), ("count_multi", [count])):
            file.create_dataset(name, (1,), h5py.vlen_dtype(np.float64))[0] = np.array(values)
    if sound:
        np.testing.assert_array_equal(open_patterns(tmp_path / "a.emc").read([0]), [[[1, 0], [3, 0]]])
    else:
        with pytest.raises(UserError, match="count_multi holds numbers that are not whole"):
            open_patterns(tmp_path / "a.emc")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("num_pix", -5, r"num_pix is \[-5\]; write it again"),
        ("num_pix", [16, 9], r"num_pix is \[ 9 16\]"),
        ("num_pix", 16.5, r"num_pix is \[16.5\]"),
        ("num_pix", np.nan, r"num_pix is \[nan\]"),
        ("place_ones", np.arange(3), "place_ones does not hold lists of numbers"),
        ("place_ones", np.array([b"a", b"b", b"c"]), "place_ones does not hold lists of numbers"),
        ("place_ones", np.dtype("i4"), "'place_ones' is a group"),
    ],
)
def test_what_is_no_number_or_list(tmp_path, name, values, message) -> None:
    path = sparse(tmp_path / "a.emc", ONES, MULTI, COUNTS, True)
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = values
    with pytest.raises(UserError, match=message):
        open_patterns(path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mask", {3: -1.0}, "mask holds -1; classes of pixels are 0"),
        ("mask", {3: 0.5}, "mask holds 0.5"),
        ("mask", {3: 256.0}, "mask holds 256"),
        ("qx", {3: np.nan}, "qx holds values that are not numbers"),
        ("corr", None, "48 qz, 47 corr, 48 mask"),
    ],
)
def test_columns_of_a_detector_that_cannot_be(tmp_path, name, change, message) -> None:
    write_detector(tmp_path / "det.h5", make_detector((6, 8), 500.0))
    with h5py.File(tmp_path / "det.h5", "r+") as file:
        values = file[name][()].astype(float)
        del file[name]
        for position, value in (change or {}).items():
            values[position] = value
        file[name] = values if change else values[1:]
    with pytest.raises(UserError, match=message):
        read_detector(tmp_path / "det.h5")


@pytest.mark.parametrize("name", ["detector.h5", "detector.dat"])
def test_a_detector_file_beside_is_taken_and_noted(tmp_path, name) -> None:
    photons = np.random.default_rng(0).poisson(0.5, (3, 6, 8)).astype("i4")
    write_emc(tmp_path / "selected.emc", [photons])
    measured = np.ones((6, 8), dtype=bool)
    measured[2] = False
    write_detector(tmp_path / name, make_detector((6, 8), 900.0, (2.0, 3.0), measured))
    file = open_patterns(tmp_path / "selected.emc")
    np.testing.assert_array_equal(file.read(range(3)), np.where(measured, photons, 0))
    np.testing.assert_array_equal(file.mask, measured)
    assert file.geometry["beam_centre"] == pytest.approx([2.0, 3.0])
    assert any(f"{name} beside it is used as its detector file, 6 x 8" in str(note) for note in file.notes)


def test_a_detector_file_beside_that_does_not_fit_is_not_used(tmp_path) -> None:
    write_emc(tmp_path / "a.emc", [PHOTONS])
    write_detector(tmp_path / "detector.h5", make_detector((5, 6), 900.0))
    message = "\n".join(map(str, open_patterns(tmp_path / "a.emc").notes))
    assert "has 30 pixels" in message and "taken as a square of 6 x 6" in message
    (tmp_path / "detector.h5").write_bytes((tmp_path / "detector.h5").read_bytes()[:700])
    file = open_patterns(tmp_path / "a.emc")
    np.testing.assert_array_equal(file.read(range(len(file))), PHOTONS)
    assert "it is not used" in "\n".join(map(str, file.notes))
    write_emc(tmp_path / "b.emc", [PHOTONS[:, :5]])
    with pytest.raises(UserError, match=r"30 pixels, not a square; .*detector\.h5: .*it is not used for"):
        open_patterns(tmp_path / "b.emc")
