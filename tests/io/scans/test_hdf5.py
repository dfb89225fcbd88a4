from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spi_lightning.data.scans.single_pattern import prepare_scan, read_pattern
from spi_lightning.errors import UserError
from spi_lightning.io.scans.bragg_scan import ScanKeys, open_scan

PEAK = np.exp(-((np.arange(8) - 4.0) ** 2) / 6)[:, None, None] * np.full((8, 6, 7), 400.0)
COUNTS = np.random.default_rng(0).poisson(PEAK).astype(np.uint16)
ANGLES = 0.2 + 0.01 * np.arange(8)
RAD = np.pi / 180
UNITS = {"deg": 1, "degrees": 1, "°": 1, "rad": RAD, "Radians": RAD, "mrad": 1e3 * RAD, "arcsec": 3600, "mdeg": 1e3}


def put(group: h5py.Group, key: str, value: Any, units: Any = None, **attributes: Any) -> None:
    group[key] = value
    if units is not None:
        group[key].attrs["units"] = units
    group[key].attrs.update(attributes)


def nexus(path: Path, **more: tuple[Any, Any]) -> Path:
    """A NeXus scan; `more` names fields below entry, `__` for a slash, as (value, unit)."""
    fields = {
        "data/angle": (ANGLES, "deg"),
        "instrument/delta": (32.0, "deg"),
        "instrument/gamma": (12.0, "deg"),
        "instrument/detector/distance": (0.5, "m"),
        "instrument/detector/x_pixel_size": (55e-6, "m"),
        "instrument/detector/y_pixel_size": (55e-6, "m"),
        "instrument/monochromator/energy": (9.0, "keV"),
    } | {key.replace("__", "/"): value for key, value in more.items()}
    with h5py.File(path, "w") as file:
        put(file, "entry/data/data", COUNTS)
        for key, (value, unit) in fields.items():
            if value is not None:
                put(file, f"entry/{key}", value, unit)
    return path


def check(path: Path, keys: ScanKeys | None = None) -> None:
    """What every file here says."""
    geometry = open_scan(path, keys).geometry
    expected = {"photon_energy": 9e3, "distance": 0.5, "pixel_size": 55e-6, "delta_deg": 32.0, "gamma_deg": 12.0}
    assert geometry == pytest.approx(expected | {"step_deg": 0.01}, rel=1e-6)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("how", [str, lambda u: u.encode("latin-1"), lambda u: np.array([u.encode()])])
def test_angles_are_converted_by_their_unit(tmp_path: Path, unit: str, how: Any) -> None:
    by, unit = UNITS[unit], how(unit)
    check(nexus(tmp_path / "a.nxs", instrument__delta=(32 * by, unit), instrument__gamma=(12 * by, unit)))
    check(nexus(tmp_path / "b.nxs", data__angle=(ANGLES * by, unit)))


def test_lengths_and_energies_are_converted_by_their_unit(tmp_path: Path) -> None:
    fields = {
        "instrument__detector__distance": (500.0, "mm"),
        "instrument__detector__x_pixel_size": (55.0, "um"),
        "instrument__detector__y_pixel_size": (55e-3, "mm"),
        "instrument__monochromator__energy": (9000.0, "eV"),
    }
    for key, value in fields.items():
        check(nexus(tmp_path / "a.nxs", **{key: value}))
    wavelength = {"instrument__beam__incident_wavelength": (0.13776, "nm")}
    found = open_scan(nexus(tmp_path / "b.nxs", instrument__monochromator__energy=(None, None), **wavelength)).geometry
    assert found["photon_energy"] == pytest.approx(9000, rel=1e-4)


@pytest.mark.parametrize("field", ["instrument__delta", "data__angle", "instrument__detector__distance"])
def test_an_unknown_unit_is_refused_unless_the_user_states_the_quantity(tmp_path: Path, field: str) -> None:
    path = nexus(tmp_path / "a.nxs", **{field: (ANGLES if field == "data__angle" else 1.0, "furlong")})
    with pytest.raises(UserError, match="unit 'furlong' is not known"):
        open_scan(path)
    known = {"instrument__delta": "delta_deg", "data__angle": "step_deg"}.get(field, "distance")
    assert open_scan(path, known=[known]).geometry["photon_energy"] == 9000


def test_a_plain_file_names_units_as_attributes_or_at_the_end_of_names(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        put(file, "counts", COUNTS)
        put(file, "theta_mrad", ANGLES * 1e3 * RAD)
        put(file, "delta", 32 * RAD, "rad")
        put(file, "gamma_rad", [12 * RAD])
        put(file, "detector_distance", 500, "mm")
        put(file, "photon_energy", "9.0", "keV")
        file.attrs["pixel_size_um"] = 55
        file.attrs.update({"note": "scan 5"})
    check(path, ScanKeys(angle="theta_mrad"))
    check(path)
    with h5py.File(path, "a") as file:
        del file["delta"]
        file.attrs.update({"delta": 32 * RAD, "delta_units": "rad"})
    check(path)


def test_text_and_no_numbers_are_not_taken(tmp_path: Path) -> None:
    read = open_scan(nexus(tmp_path / "a.nxs", instrument__detector__distance=("near", "m")))
    assert "distance" not in read.geometry and any("'near' is not a number" in str(note) for note in read.notes)
    with pytest.raises(UserError, match="'up'; a number was expected"):
        open_scan(nexus(tmp_path / "a.nxs", instrument__delta=("up", "deg")))
    with pytest.raises(UserError, match="not a number"):
        open_scan(nexus(tmp_path / "a.nxs", instrument__delta=(np.nan, "deg")))


def test_energies_without_a_unit_are_taken_by_their_size(tmp_path: Path) -> None:
    for value in (9.0, 9000.0):
        check(nexus(tmp_path / "a.nxs", instrument__monochromator__energy=(value, None)))
    notes = open_scan(nexus(tmp_path / "a.nxs", instrument__monochromator__energy=(9.0, None))).notes
    assert any("9 has no unit; it is taken in keV" in str(note) for note in notes)


def test_a_motor_that_moves_during_the_scan_is_not_taken(tmp_path: Path) -> None:
    path = nexus(tmp_path / "a.nxs", instrument__delta=(np.linspace(32, 33, 8), "deg"))
    read = open_scan(path)
    assert "delta_deg" not in read.geometry
    assert any("changes from 32 to 33" in str(note) for note in read.notes)
    check(nexus(tmp_path / "b.nxs", instrument__delta=(np.full(8, 32.0), "deg")))


def test_pixels_need_not_be_square(tmp_path: Path) -> None:
    found = open_scan(nexus(tmp_path / "a.nxs", instrument__detector__y_pixel_size=(110.0, "um"))).geometry
    assert (found["pixel_size"], found["pixel_size_rows"]) == pytest.approx((55e-6, 110e-6))
    assert "pixel_size_rows" not in open_scan(tmp_path / "a.nxs", known=["pixel_size"]).geometry


def test_mask_and_geometry_are_those_of_the_detector_that_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.cxi"
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 150
        for number in (1, 2):
            group = file.create_group(f"entry_1/instrument_1/detector_{number}")
            put(group, "data", COUNTS + number)
            put(group, "distance", 0.5 * number)
            put(group, "x_pixel_size", 55e-6 * number)
            mask = np.zeros((6, 7), np.uint32)
            mask[number] = 1
            put(group, "mask", mask)
            file[f"entry_1/data_{number}/data"] = h5py.SoftLink(f"{group.name}/data")
    for key in ("entry_1/instrument_1/detector_2/data", "entry_1/data_2/data"):
        read = open_scan(path, ScanKeys(counts=key))
        assert read.geometry == pytest.approx({"distance": 1.0, "pixel_size": 110e-6})
        assert read.bad_pixels is not None and read.bad_pixels.nonzero()[:, 0].unique().tolist() == [2]
    assert open_scan(path).geometry["distance"] == 0.5


def test_angles_are_found_on_the_axis_that_nxdata_names(tmp_path: Path) -> None:
    for name, unit in (("samth", None), ("motor7", "mrad")):
        path = nexus(tmp_path / "a.nxs", data__angle=(None, None))
        with h5py.File(path, "a") as file:
            put(file, f"entry/data/{name}", ANGLES * (1e3 * RAD if unit else 1), unit)
            file["entry/data"].attrs["axes"] = np.array([name, ".", "."], "S")
        check(path)


def test_links_to_what_is_gone_are_named(tmp_path: Path) -> None:
    path, matrix = tmp_path / "a.nxs", np.eye(3)[None]
    for position in ("entry/data/data", "entry/pil3/data", "entry/instrument/pil3/data"):
        with h5py.File(path, "w") as file:
            file["entry/sample/ub_matrix"] = matrix
            file[position] = h5py.ExternalLink("files/1040323.hdf", "/entry/data")
        with pytest.raises(UserError, match=r"is a link to /entry/data of files/1040323\.hdf, which does not exist"):
            open_scan(path)
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = h5py.SoftLink("/entry/detector/data")
    with pytest.raises(UserError, match="link to /entry/detector/data"):
        open_scan(path)
    with pytest.raises(UserError):
        open_scan(path, ScanKeys(counts="entry/data/data"))


def test_a_virtual_scan_whose_source_is_gone_is_refused(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((8, 6, 7), COUNTS.dtype)
    layout[:] = h5py.VirtualSource("gone.h5", "data", (8, 6, 7))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("counts", layout)
    with pytest.raises(UserError, match=r"gone\.h5"):
        open_scan(tmp_path / "a.h5")


def test_what_could_be_meant_is_offered_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["run/one"], file["run/two"] = COUNTS, COUNTS[:, :5]
        file["run/ub_matrix"], file["run/mask"] = np.zeros((8, 3, 3)), np.zeros((8, 6, 7), np.uint8)
    with pytest.raises(UserError, match=r"data\.keys\.counts=: run/one \(8, 6, 7\) uint16, run/two \(8, 5, 7\) uint16"):
        open_scan(path)
    with h5py.File(path, "a") as file:
        del file["run/two"]
    assert open_scan(path).counts.shape == (8, 6, 7)
    with h5py.File(path, "w") as file:
        file["scan_data/image"] = COUNTS[:1]
    with pytest.raises(UserError, match=r"scan_data/image \(1, 6, 7\); data=one_frame phases a single image"):
        open_scan(path)


def test_blocks_of_an_eiger_master_are_one_scan(tmp_path: Path) -> None:
    for number in (1, 2):
        with h5py.File(tmp_path / f"a_data_{number:06d}.h5", "w") as file:
            file["entry/data/data"] = COUNTS[4 * number - 4 : 4 * number]
    with h5py.File(tmp_path / "a_master.h5", "w") as file:
        for number in (1, 2):
            link = h5py.ExternalLink(f"a_data_{number:06d}.h5", "/entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link
        put(file, "entry/instrument/detector/detector_distance", 500, "mm")
    read = open_scan(tmp_path / "a_master.h5")
    np.testing.assert_array_equal(read.counts, COUNTS)
    assert read.geometry["distance"] == 0.5
    (tmp_path / "a_data_000002.h5").unlink()
    with pytest.raises(UserError, match=r"a_data_000002\.h5, which does not exist"):
        open_scan(tmp_path / "a_master.h5")


def masked(path: Path, name: str, mask: np.ndarray) -> Path:
    """A scan with a gap in rows 1 and 2."""
    counts = COUNTS.copy()
    counts[:, 1:3] = 0
    with h5py.File(path, "w") as file:
        file["counts"], file[name] = counts, mask
    return path


@pytest.mark.parametrize("name", ["mask", "bad_pixels", "good_pixels"])
@pytest.mark.parametrize("shape", [(6, 7), (8, 6, 7)])
@pytest.mark.parametrize("inverted", [False, True])
def test_masks_beside_the_counts_are_taken_in_their_sense(
    tmp_path: Path, name: str, shape: tuple[int, ...], inverted: bool
) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[..., 1:3, :] = 1
    read = open_scan(masked(tmp_path / "a.h5", name, 1 - mask if inverted != (name == "good_pixels") else mask))
    bad = read.counts.isnan().any(0) if len(shape) == 3 else read.bad_pixels
    assert bad is not None and bad.bool().any(1).tolist() == [False, True, True, False, False, False]
    if inverted and name != "mask":
        assert any("its sense was inverted" in str(note) for note in read.notes)
        with pytest.raises(UserError, match="its sense is inverted"):
            open_scan(tmp_path / "a.h5", ScanKeys(bad_pixels=name))


def test_a_mask_of_most_pixels_beside_the_peak_is_obeyed(tmp_path: Path) -> None:
    counts = COUNTS.copy()
    counts[:, :, 3:] = 0
    with h5py.File(tmp_path / "a.h5", "w") as file:
        bad = np.zeros((6, 7), np.uint8)
        bad[:, 3:] = 1
        file["counts"], file["bad_pixels"] = counts, bad
    read = open_scan(tmp_path / "a.h5")
    assert read.bad_pixels is not None and int(read.bad_pixels.sum()) == 24


def test_virtual_pixels_of_nexus_are_measured(tmp_path: Path) -> None:
    bits = np.zeros((6, 7), np.uint32)
    bits[2], bits[4] = 2**31, 2**31 + 2
    read = open_scan(nexus(tmp_path / "a.nxs", instrument__detector__pixel_mask=(bits, None)))
    assert read.bad_pixels is not None and read.bad_pixels.any(1).tolist() == [False] * 4 + [True, False]


def test_a_monitor_of_another_length_is_left_out_unless_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"], file["theta_deg"], file["monitor"] = COUNTS, ANGLES, np.ones(3)
    read = open_scan(tmp_path / "a.h5")
    assert read.monitor is None and any("monitor (3,) does not fit" in str(note) for note in read.notes)
    with pytest.raises(
        UserError, match=r"/monitor has shape \(3,\), and a monitor has one value for each of the 8 frames"
    ):
        open_scan(tmp_path / "a.h5", ScanKeys(monitor="monitor"))


def test_links_of_what_lies_beside_and_masks_that_do_not_fit_are_noted(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"], file["mask"] = COUNTS, np.zeros((9, 9), np.uint8)
        file["theta_deg"] = h5py.ExternalLink("angles.h5", "/theta")
        file["loop"] = h5py.SoftLink("/pool")
        file["pool"] = h5py.SoftLink("/loop")
    notes = open_scan(tmp_path / "a.h5").notes
    assert any("/theta_deg is a link to /theta of angles.h5, which does not exist" in str(note) for note in notes)
    assert any("/mask (9, 9) does not fit" in str(note) for note in notes)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["counts"]
        file["counts"] = h5py.SoftLink("/loop")
    with pytest.raises(UserError, match="counts is a link to"):
        open_scan(tmp_path / "a.h5")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_amplitudes_are_no_counts(tmp_path: Path, dtype: Any) -> None:
    np.save(tmp_path / "a.npy", np.sqrt(COUNTS).astype(dtype))
    with pytest.raises(UserError, match="amplitudes, square roots of whole numbers"):
        prepare_scan(open_scan(tmp_path / "a.npy"))


@pytest.mark.parametrize("name", ["beam_row", "whitefield_mean_full_detector", "delta_deg"])
def test_attributes_that_are_text_are_named(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"], file.attrs[name] = COUNTS, "abc"
    with pytest.raises(UserError, match=f"{name} is 'abc'; a number was expected"):
        open_scan(tmp_path / "a.h5")


def test_images_beside_the_counts_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = nexus(tmp_path / "scan.nxs", data__flat_field=(np.ones((6, 7)), None))
    with h5py.File(path, "a") as file:
        file["entry/instrument/detector/pixel_mask"] = np.zeros((6, 7), np.uint32)
        file["entry/data/bad_pixels"] = file["entry/instrument/detector/pixel_mask"]
    notes = [note for note in open_scan(path).notes if "not read" in str(note)]
    assert len(notes) == 1 and "not read: /entry/data/flat_field;" in str(notes[0])


def test_text_is_no_monitor_and_noted(tmp_path: Path) -> None:
    path = nexus(tmp_path / "scan.nxs", control__data=(np.array([b"x"] * 8), None))
    read = open_scan(path)
    assert read.monitor is None and any("control/data holds |S1 instead of numbers" in str(note) for note in read.notes)
    with pytest.raises(UserError, match=r"is not a monitor; name another with data\.keys\.monitor="):
        open_scan(path, ScanKeys(monitor="entry/control/data"))


def test_a_detector_states_its_beam_centre_in_pixels_or_as_a_length(tmp_path: Path) -> None:
    for x, y, unit in ((3.0, 2.0, None), (3 * 55e-3, 2 * 55e-3, "mm")):
        fields = {"instrument__detector__beam_center_x": (x, unit), "instrument__detector__beam_center_y": (y, unit)}
        found = open_scan(nexus(tmp_path / "a.nxs", **fields)).geometry
        assert (found["beam_row"], found["beam_column"]) == pytest.approx((2.0, 3.0))
    unset = {"instrument__detector__beam_center_x": (0.0, None), "instrument__detector__beam_center_y": (0.0, None)}
    read = open_scan(nexus(tmp_path / "b.nxs", **unset))
    assert "beam_row" not in read.geometry and any("state no beam centre" in str(note) for note in read.notes)


@pytest.mark.parametrize("shape", [(8, 1, 6, 7), (1, 8, 6, 7), (8, 6, 7, 1), (1, 8, 1, 6, 7)])
def test_counts_with_axes_of_one_are_read_and_noted(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = nexus(tmp_path / "a.nxs", data__pixel_mask=(np.eye(6, 7, dtype=np.uint32)[None], None))
    with h5py.File(path, "a") as file:
        del file["entry/data/data"]
        file["entry/data/data"] = COUNTS.reshape(shape)
    read = open_scan(path, region=(1, 6, 0, 7))
    np.testing.assert_array_equal(read.counts, COUNTS[:, 1:])
    assert read.bad_pixels is not None and int(read.bad_pixels.sum()) == 5
    assert any(f"{shape} without its axis of one" in str(note) for note in read.notes)


def test_counts_of_two_modules_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"] = np.stack([COUNTS, COUNTS], 1)
    with pytest.raises(UserError, match="no data set is a stack of images"):
        open_scan(tmp_path / "a.h5")
    with pytest.raises(UserError, match=r"uint16 \(8, 2, 6, 7\); a rocking scan is"):
        open_scan(tmp_path / "a.h5", ScanKeys(counts="counts"))


@pytest.mark.parametrize("name", ["unit", "Units", "UNITS"])
def test_the_attribute_of_units_is_read_in_any_case(tmp_path: Path, name: str) -> None:
    path = nexus(tmp_path / "a.nxs", data__angle=(ANGLES * RAD, None))
    with h5py.File(path, "a") as file:
        file["entry/data/angle"].attrs[name] = np.bytes_("rad")
    check(path)


def test_a_group_of_geometry_holds_the_arm_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["counts"], file["theta_deg"] = COUNTS, ANGLES
        group = file.create_group("geometry")
        values = {"energy": (9.0, "keV"), "distance": (50.0, "cm"), "pixel_size": (55.0, "um"), "gamma": (12.0, "deg")}
        for key, (value, unit) in values.items():
            put(group, key, value, unit)
        group.attrs.update({"delta": 32 * RAD, "delta_units": "rad"})
    check(path)


@pytest.mark.parametrize("name", ["angle", "monitor"])
def test_a_stack_named_as_angles_or_monitor_is_called_by_its_shape(tmp_path: Path, name: str) -> None:
    path = nexus(tmp_path / "a.nxs", other=(COUNTS, None), column=(ANGLES[:, None], None))
    with pytest.raises(
        UserError, match=r"/entry/other has shape \(8, 6, 7\), and .* one value for each of the 8 frames"
    ):
        open_scan(path, ScanKeys(**{name: "entry/other"}))
    open_scan(path, ScanKeys(**{name: "entry/column"}))


def test_one_frame_is_no_scan_whatever_else_is_wrong(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        put(file, "entry/data/data", COUNTS[:1])
        put(file, "entry/instrument/monochromator/energy", 0.8, "keV")
        put(file, "entry/data/angle", ANGLES[:1], "deg")
    np.save(tmp_path / "a.npy", COUNTS[:1].repeat(1, axis=0))
    for name in ("a.h5", "a.npy"):
        with pytest.raises(UserError, match=r"one frame|rocking scan is"):
            read_pattern(tmp_path / name)
    with pytest.raises(UserError, match=r"a\.h5: holds one frame of 6 x 7 pixels, not a rocking scan; data=one_frame"):
        read_pattern(tmp_path / "a.h5")
