from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import torch

from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import prepare_scan
from spi_lightning.errors import UserError
from spi_lightning.io import open_patterns
from spi_lightning.io.scans import tiff_series
from spi_lightning.io.scans.bragg_scan import ScanKeys, open_scan
from spi_lightning.io.scans.tiff_series import _frame_numbers
from spi_lightning.io.volumes.npz import read_volume, write_npz
from spi_lightning.notes import Note

COUNTS = np.random.default_rng(0).poisson(5, (8, 6, 7)).astype(np.uint16)
SPEC = (
    "#O0 Delta  Gamma  camdist  energy\n\n#S 3  ascan theta 0 0.7 7 1\n#P0 32 12 500 9\n#L Theta  Monitor\n"
    + "".join(f"{0.1 * i:.1f} {1000 + i}\n" for i in range(8))
)


def series(folder: Path, leave_out: tuple[int, ...] = ()) -> Path:
    folder.mkdir()
    for i, frame in enumerate(COUNTS):
        if i not in leave_out:
            tifffile.imwrite(folder / f"scan54_{i + 1:04d}.tif", frame)
    return folder


def test_a_tiff_series_with_its_spec_header(tmp_path: Path) -> None:
    spec = tmp_path / "run.spec"
    spec.write_text(SPEC)
    read = open_scan(series(tmp_path / "frames"), spec=str(spec), scan=3)
    np.testing.assert_array_equal(read.counts, COUNTS)
    assert read.geometry == pytest.approx(
        {"delta_deg": 32, "gamma_deg": 12, "distance": 0.5, "photon_energy": 9000, "step_deg": 0.1}
    )
    assert read.monitor is not None
    assert read.monitor[2] == 1002


def test_frames_missing_from_a_series_stay_open(tmp_path: Path) -> None:
    read = open_scan(series(tmp_path / "frames", leave_out=(3,)))
    assert read.counts[3].isnan().all()
    np.testing.assert_array_equal(read.counts[4], COUNTS[4])
    assert "1 of 8 frames are missing" in str(read.notes[0])


def test_numbers_decide_the_order_not_names(tmp_path: Path) -> None:
    for i, frame in enumerate(COUNTS):
        tifffile.imwrite(tmp_path / f"frame_{i + 5}.tif", frame)
    np.testing.assert_array_equal(open_scan(str(tmp_path / "frame_*.tif")).counts, COUNTS)


def test_bad_series_are_named(tmp_path: Path) -> None:
    spec = tmp_path / "run.spec"
    spec.write_text(SPEC)
    folder = series(tmp_path / "frames")
    with pytest.raises(UserError, match=r"data\.scan="):
        open_scan(folder, spec=str(spec))
    (folder / "copy_of_0003.tif").write_bytes((folder / "scan54_0003.tif").read_bytes())
    with pytest.raises(UserError, match=r"more than once, and copy_of_0003\.tif is named differently from the others"):
        open_scan(folder)
    (folder / "copy_of_0003.tif").unlink()
    (folder / "scan54_0008.tif").unlink()
    with pytest.raises(UserError, match="7 frames, but scan 3"):
        open_scan(folder, spec=str(spec), scan=3)
    tifffile.imwrite(folder / "scan54_0008.tif", COUNTS[0, :3])
    with pytest.raises(UserError, match="among others"):
        open_scan(folder)
    (folder / "scan54_0008.tif").write_bytes(b"II*\0 broken")
    with pytest.raises(UserError, match="cannot be read"):
        open_scan(folder)
    with pytest.raises(UserError, match="are missing"):
        open_scan(series(tmp_path / "few", leave_out=(1, 2, 3)))
    with pytest.raises(UserError, match="no such file"):
        open_scan(tmp_path / "nowhere")


def test_a_tiff_stack_and_a_region(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", COUNTS)
    np.testing.assert_array_equal(open_scan(tmp_path / "stack.tif", region=[1, 5, 2, 6]).counts, COUNTS[:, 1:5, 2:6])
    with pytest.raises(UserError, match="region"):
        open_scan(tmp_path / "stack.tif", region=[0, 9, 0, 2])


@pytest.mark.parametrize(
    ("row", "column", "unit", "expected"),
    [
        (2.5, 3.0, "pixels", (2.5, 3.0)),
        (0.11, 0.165, "mm", (2.0, 3.0)),
        (-40.0, 3.0, "pixels", None),  # an arm that is turned: the direct beam misses the detector
    ],
)
def test_where_the_arm_points_is_read_from_nexus(
    tmp_path: Path, row: float, column: float, unit: str, expected: tuple[float, float] | None
) -> None:
    with h5py.File(tmp_path / "scan.nxs", "w") as file:
        file["entry/data/data"], file["entry/instrument/detector/x_pixel_size"] = COUNTS, 55e-6
        for name, value in (("y", row), ("x", column)):
            file[f"entry/instrument/detector/beam_center_{name}"] = value
            file[f"entry/instrument/detector/beam_center_{name}"].attrs["units"] = unit
    found = open_scan(tmp_path / "scan.nxs").geometry
    assert ("beam_row" in found) == ("beam_column" in found) == (expected is not None)
    assert expected is None or (found["beam_row"], found["beam_column"]) == pytest.approx(expected)


def test_the_corner_of_cut_frames_is_kept(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"] = COUNTS
        assert open_scan(tmp_path / "scan.h5").corner == (0, 0)
        file.attrs["crop_origin_frame_row_col"] = np.array([3, 10, 20])
    assert open_scan(tmp_path / "scan.h5").corner == (10, 20)
    assert open_scan(tmp_path / "scan.h5", region=[1, 5, 2, 7]).corner == (11, 22)
    assert open_scan(series(tmp_path / "frames"), region=[1, 5, 2, 7]).corner == (1, 2)


@pytest.mark.parametrize("layout", ["plain", "cxi", "nexus"])
def test_hdf5_layouts(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        if layout == "plain":
            file["counts"], file["theta_deg"] = COUNTS, 0.1 * np.arange(8)
            file["whitefield"] = np.ones((6, 7))
            file.attrs["energy_keV"], file.attrs["delta_deg"] = 9.0, 32.0
        elif layout == "cxi":
            detector = "entry_1/instrument_1/detector_1"
            file[f"{detector}/data"] = COUNTS
            mask = np.zeros((6, 7), np.uint32)
            mask[0, 0], mask[0, 1] = 0x200, 0x1000
            file[f"{detector}/mask"] = mask
            file[f"{detector}/distance"] = 0.5
            file["entry_1/instrument_1/source_1/energy"] = 9000 * 1.602176634e-19
        else:
            file["entry/data/data"] = COUNTS
            file["entry/instrument/detector/distance"] = 500.0
            file["entry/instrument/detector/distance"].attrs["units"] = "mm"
            file["entry/instrument/beam/incident_wavelength"] = 1.3776
    read = open_scan(path)
    np.testing.assert_array_equal(read.counts, COUNTS)
    assert read.geometry["photon_energy"] == pytest.approx(9000, rel=1e-4)
    if layout == "plain":
        assert read.geometry["step_deg"] == pytest.approx(0.1)
        assert read.whitefield is not None
    else:
        assert read.geometry["distance"] == pytest.approx(0.5)
    if layout == "cxi":
        assert read.bad_pixels is not None
        assert read.bad_pixels[0, :2].tolist() == [1, 0]


@pytest.mark.parametrize("name", ["whitefield", "dark"])
def test_images_found_by_their_names_are_noted_and_can_be_left_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["counts"], file[name], file["flat"] = COUNTS, np.full((6, 7), 2.0), np.full((6, 7), 3.0)
        file["bad_pixels"] = np.eye(6, 7)
    line = f"/{name} is used as the {name}, by its name; data.keys.{name}=none leaves it out"
    found = open_scan(path)
    assert getattr(found, name) is not None and line in "\n".join(map(str, found.notes))
    named = open_scan(path, ScanKeys(**{name: "flat"}))
    assert float(getattr(named, name).mean()) == 3 and "by its name" not in "\n".join(map(str, named.notes))
    without = open_scan(path, ScanKeys(**{name: "none", "bad_pixels": "none"}))
    assert getattr(without, name) is None and without.bad_pixels is None and name not in without.sources


def test_hdf5_without_counts_lists_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["other"] = COUNTS
        file["flat"] = COUNTS[0]
    np.testing.assert_array_equal(open_scan(path).counts, COUNTS)  # the only one with three axes
    with h5py.File(path, "r+") as file:
        file["more"] = COUNTS
    with pytest.raises(UserError, match=r"data\.keys\.counts=.*other "):
        open_scan(path)
    np.testing.assert_array_equal(open_scan(path, ScanKeys(counts="other")).counts, COUNTS)
    with pytest.raises(UserError, match="rocking scan is"):
        open_scan(path, ScanKeys(counts="flat"))


def test_images_beside_the_scan(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.full((6, 7), 3.0))
    read = open_scan(series(tmp_path / "frames"), ScanKeys(whitefield=str(tmp_path / "flat.npy")), region=[0, 4, 0, 4])
    assert read.whitefield is not None
    assert read.whitefield.shape == (4, 4)


def test_too_large_a_scan_is_refused_with_what_would_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tiff_series, "_MEMORY_SHARE", 1e-9)
    with pytest.raises(UserError, match=r"a region of \d+ x \d+ pixels would fit: data\.region"):
        open_scan(series(tmp_path / "frames"))


def test_numpy_volumes_there_and_back(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "volume.npz", {"flat": np.ones(3), "counts": COUNTS})
    np.testing.assert_array_equal(read_volume(path), COUNTS)
    np.testing.assert_array_equal(read_volume(path, "flat"), np.ones(3))
    np.testing.assert_array_equal(open_scan(path).counts, COUNTS)
    with pytest.raises(UserError, match="no array other"):
        read_volume(path, "other")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="cannot be read"):
        read_volume(path)


def test_a_name_for_an_array_without_one_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", COUNTS)
    for path in (tmp_path / "scan.npy", series(tmp_path / "frames")):
        with pytest.raises(UserError, match=r"leave out data\.keys\.counts=wrong"):
            open_scan(path, ScanKeys(counts="wrong"))


def test_the_real_file(spi_data: Path) -> None:
    read = open_scan(spi_data / "bragg" / "aps34idc_S0054_128.h5")
    assert read.counts.shape == (128, 128, 128)
    assert read.geometry["step_deg"] == pytest.approx(0.005, rel=1e-3)
    counts, *images, angles = map(str, read.notes)
    assert all("by its name; data.keys." in line for line in images) and images
    assert counts == f"{read.path}: counts from /counts"
    assert angles.startswith("rocking angles from /theta_deg: -0.104996 to 0.530004 degree in 128 frames, 0.005 degree")
    assert torch.isfinite(read.counts).all()


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_counts_as_large_as_their_type_are_not_measured(tmp_path: Path, dtype: str) -> None:
    counts = np.ones((6, 5, 7), dtype=dtype)
    counts[2, 3, 4] = np.iinfo(dtype).max
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"] = counts
    np.save(tmp_path / "scan.npy", counts)
    for name in ("scan.h5", "scan.npy"):
        read = open_scan(tmp_path / name)
        assert torch.isinf(read.counts).sum() == 1 and torch.isinf(read.counts[2, 3, 4])
        assert any("1 voxels are saturated" in str(note) and "largest uint" in str(note) for note in read.notes)


@pytest.mark.parametrize(("dtype", "second"), [("uint32", 2**32 - 2), ("int32", -2), ("uint16", 65535)])
def test_a_second_sentinel_is_neither_peak_nor_photons(tmp_path: Path, dtype: str, second: int) -> None:
    counts = COUNTS.astype(dtype)
    counts[:, 3] = -1 if dtype == "int32" else np.iinfo(dtype).max
    counts[:, 1, 5] = counts[:, 0, 2] = second
    np.save(tmp_path / "scan.npy", counts)
    read = open_scan(tmp_path / "scan.npy")
    assert bool(read.counts[:, [1, 0], [5, 2]].isnan().all()) and bool(read.counts[:, 3].isnan().all())
    assert not read.counts.isinf().any() and float(torch.nan_to_num(read.counts).max()) == COUNTS.max()
    assert any(f"hold {second} in every frame" in str(note) for note in read.notes)


def test_every_cause_is_named_for_what_it_is(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5, (8, 6, 7)).astype(np.float32)
    counts[0, 0, 0], counts[1, 1, 1:3], counts[2, 0, :3], counts[5] = np.nan, np.inf, -1, np.nan
    np.save(tmp_path / "scan.npy", counts)
    read = open_scan(tmp_path / "scan.npy")
    for line in ("1 voxels hold NaN", "2 voxels hold infinite counts", "3 voxels hold negative counts"):
        assert any(str(note).startswith(line) for note in read.notes)
    assert int(read.counts.isnan().sum()) == 6 + 42


def test_a_largest_value_that_many_share_is_saturation_and_a_pixel_always_full_is_bad(tmp_path: Path) -> None:
    clipped, gap = COUNTS.astype(np.uint32) * 500, COUNTS.astype(np.uint32)
    clipped[3:5, 2:4, 2:5] = 9999
    gap[:, 3] = 2**32 - 1
    np.save(tmp_path / "clipped.npy", clipped)
    np.save(tmp_path / "gap.npy", gap)
    read = open_scan(tmp_path / "clipped.npy")
    assert int(read.counts.isinf().sum()) == 12 and "12 voxels are saturated, at 9999, the largest value" in str(
        read.notes[0]
    )
    read = open_scan(tmp_path / "gap.npy")
    assert bool(read.counts[:, 3].isnan().all()) and "7 pixels hold 4294967295" in str(read.notes[0])


@pytest.mark.parametrize("dtype", ["uint32", "uint16", "int32"])
@pytest.mark.parametrize("part", [slice(None), slice(16)])
def test_a_frame_or_module_full_of_the_largest_integer_is_no_saturated_peak(
    tmp_path: Path, dtype: str, part: slice
) -> None:
    away = [(np.arange(n) - n // 2) ** 2 / 12 for n in (16, 32, 32)]
    counts = (3e4 * np.exp(-(away[0][:, None, None] + away[1][:, None] + away[2]))).astype(dtype)
    counts[11, part, part] = np.iinfo(dtype).max
    np.save(tmp_path / "scan.npy", counts)
    made = prepare_scan(open_scan(tmp_path / "scan.npy"), Preparation(size=(16, 32, 32), bin=1))
    assert made.pattern.peak == (8, 16, 16)
    assert torch.equal(~made.pattern.mask, torch.from_numpy(counts == np.iinfo(dtype).max))


def test_a_mask_of_every_frame_is_taken_and_one_of_another_shape_refused(tmp_path: Path) -> None:
    bad = np.zeros(COUNTS.shape, dtype=np.uint8)
    bad[2, :, 3], bad[3, :, 4] = 1, 1
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"], file["bad_pixels"], file["other"] = COUNTS, bad, bad[:, :-1]
    np.save(tmp_path / "bad.npy", bad)
    for keys in (ScanKeys(), ScanKeys(bad_pixels="bad_pixels"), ScanKeys(bad_pixels=str(tmp_path / "bad.npy"))):
        read = open_scan(tmp_path / "scan.h5", keys)
        assert torch.equal(read.counts.isnan(), torch.from_numpy(bad != 0))
        assert any("12 voxels are bad by the mask of every frame" in str(note) for note in read.notes)
    with pytest.raises(UserError, match=r"data\.keys\.bad_pixels=/other has shape \(8, 5, 7\).* crop it alike"):
        open_scan(tmp_path / "scan.h5", ScanKeys(bad_pixels="other"))


def test_missing_frames_read_the_same_from_any_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"], file["theta_deg"] = np.delete(COUNTS, 3, 0), np.delete(0.1 * np.arange(8), 3)
    line = Note.of("1 of 8 frames are missing (3): taken as not measured")
    assert line in open_scan(tmp_path / "scan.h5").notes
    assert line in open_scan(series(tmp_path / "frames", leave_out=(3,))).notes


def test_a_damaged_tiff_is_noted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COUNTS)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:300])
    with pytest.raises(UserError, match=r"a.tif: the TIFF file is truncated, 300 of 340 bytes"):
        open_scan(tmp_path / "a.tif")
    assert not caplog.records


@pytest.mark.parametrize(
    "name",
    [
        lambda i: f"frame{i:03d}_sub2.tif",  # a constant number at the end
        lambda i: f"S5_{i:05d}_1234_{i * 37 + 1000}.tif",  # a time behind the frame's number
        lambda i: f"det1_run12_{i}.tif",
        lambda i: f"{i:04d}_th0.20.tif",
    ],
)
def test_frames_are_ordered_by_the_number_that_changes(tmp_path: Path, name: Callable[[int], str]) -> None:
    for i, frame in enumerate(COUNTS):
        tifffile.imwrite(tmp_path / name(i + 8), frame)
    np.testing.assert_array_equal(open_scan(tmp_path).counts, COUNTS)


def test_two_scans_in_one_folder_and_copies_are_distinguished(tmp_path: Path) -> None:
    for run in (1, 2):
        for i, frame in enumerate(COUNTS):
            tifffile.imwrite(tmp_path / f"run{run}_{i:03d}.tif", frame)
    with pytest.raises(UserError, match="two scans lie in one folder"):
        open_scan(tmp_path)
    np.testing.assert_array_equal(open_scan(str(tmp_path / "run2_*.tif")).counts, COUNTS)


@pytest.mark.parametrize(
    ("head", "words"),
    [(b"#F run.spec\n#E 1\n", "give data.spec="), (b"###CBF: VERSION 1.5", "CBF"), (b"{\nHeaderID = 1 ;", "EDF")],
)
def test_other_formats_are_called_by_their_name(tmp_path: Path, head: bytes, words: str) -> None:
    (tmp_path / "frames.dat").write_bytes(head)
    with pytest.raises(UserError, match=words):
        open_scan(tmp_path / "frames.dat")


def test_names_without_a_number_that_counts_blame_no_copy() -> None:
    with pytest.raises(UserError, match=r"no number in the names of 3 frames, aa_1\.tif and ab_1\.tif first"):
        _frame_numbers([Path(f"a{letter}_1.tif") for letter in "abc"])


@pytest.mark.parametrize("shape", [(8, 1, 6, 7), (1, 8, 6, 7), (8, 6, 7, 1)])
def test_arrays_with_axes_of_one_are_scans(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", COUNTS.reshape(shape))
    np.testing.assert_array_equal(open_scan(tmp_path / "a.npy").counts, COUNTS)


def test_a_tiff_stack_with_an_axis_of_one_is_a_scan(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COUNTS[:, None], photometric="minisblack")
    np.testing.assert_array_equal(open_scan(tmp_path / "a.tif").counts, COUNTS)
    assert open_patterns(tmp_path / "a.tif").shape == COUNTS.shape


def test_hidden_files_of_other_systems_are_no_frames(tmp_path: Path) -> None:
    folder = series(tmp_path / "frames")
    for frame in list(folder.iterdir()):
        (folder / f"._{frame.name}").write_bytes(b"\0\5\26\7")
    np.testing.assert_array_equal(open_scan(folder).counts, COUNTS)


def test_a_whitefield_of_zeros_is_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"], file["whitefield"] = COUNTS, np.zeros((6, 7))
    with pytest.raises(UserError, match="no pixel is left: whitefield"):
        prepare_scan(open_scan(tmp_path / "a.h5"))
