"""Which data set of a file holds the patterns, and which mask and geometry belong to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns

STACK = np.random.default_rng(0).poisson(3.0, (6, 20, 24)).astype(np.uint16)
REAR = np.random.default_rng(1).poisson(3.0, (6, 20, 24)).astype(np.uint16)
IMAGE = np.random.default_rng(2).poisson(3.0, (40, 40)).astype(np.uint16)
FRONT_MASK, REAR_MASK, IMAGE_MASK = np.zeros((20, 24), "u2"), np.zeros((20, 24), "u2"), np.zeros((40, 40), "u1")
FRONT_MASK[:2], REAR_MASK[12:], IMAGE_MASK[:5] = 1, 1, 1
JOULE_PER_EV = 1.602176634e-19
TABLE = np.arange(30).reshape(6, 5)


def write(path: Path, **sets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file[name.replace("__", "/")] = values
    return path


@pytest.mark.parametrize(
    ("sets", "expected", "key"),
    [
        ({"frames": np.arange(6), "images": STACK}, STACK, "images"),
        ({"data": TABLE, "stack": STACK}, STACK, "stack"),
        ({"data": np.zeros((100, 20)), "stack": STACK}, STACK, "stack"),
        ({"photons": 7, "deep__run": STACK, "orientation_matrix": np.zeros((1, 3, 3))}, STACK, "deep/run"),
        ({"dark": STACK * 0, "counts_err": STACK * 0.5, "sample": STACK}, STACK, "sample"),
        ({"image": IMAGE, "stack": STACK}, STACK, "stack"),
        ({"raw": STACK, "patterns": h5py.SoftLink("/raw")}, STACK, "patterns"),
        ({"image": IMAGE, "note": "of a virus"}, IMAGE[None], "image"),
        ({"anything": IMAGE, "numbers": np.arange(3)}, IMAGE[None], "anything"),
        ({"real": IMAGE[..., None], "image_center": np.zeros(3), "lambda": np.array([1e-9])}, IMAGE[None], "real"),
        ({"patterns": STACK[:, None]}, STACK, "patterns"),
        ({"patterns": STACK[..., None]}, STACK, "patterns"),
    ],
)
def test_the_one_data_set_that_can_be_patterns_is_taken_and_named(tmp_path, sets, expected, key) -> None:
    file = open_patterns(write(tmp_path / "a.h5", **sets))
    np.testing.assert_array_equal(file.read(range(len(expected))), expected)
    assert any(f"read from '{key}'" in str(note) for note in file.notes)


@pytest.mark.parametrize(
    ("sets", "message", "absent"),
    [
        ({"data": TABLE}, "no data set looks like patterns", "likeliest"),
        ({"a": STACK, "b": STACK, "x": np.arange(3)}, r"likeliest first: a \(6, 20, 24\) uint16, b ", "x "),
        ({"matrix": np.zeros((1, 3, 3)), "g": h5py.ExternalLink("gone.h5", "/d")}, r"/d of gone\.h5", "likeliest"),
        ({"patterns": h5py.ExternalLink("gone.h5", "/d"), "m": np.zeros((3, 3))}, r"'patterns'.*/d of gone\.h5", "m "),
        ({"patterns": h5py.SoftLink("/x"), "x": h5py.ExternalLink("gone.h5", "/d")}, r"/d of gone\.h5", "likeliest"),
    ],
)
def test_lists_offer_what_could_be_patterns_and_links_to_nothing_are_named(tmp_path, sets, message, absent) -> None:
    with pytest.raises(UserError, match=message) as error:
        open_patterns(write(tmp_path / "a.h5", **sets))
    assert absent not in str(error.value).rpartition(":")[2]


def test_libspimage_mask_and_amplitudes(tmp_path) -> None:
    flags = {"phased": [0], "shifted": [0], "scaled": [0]}
    sets = {"real": IMAGE[..., None].astype("f4"), "mask": (IMAGE_MASK == 0)[..., None].astype("i4"), **flags}
    file = open_patterns(write(tmp_path / "a.h5", **sets))
    np.testing.assert_array_equal(file.mask, IMAGE_MASK == 0)
    with pytest.raises(UserError, match="amplitudes"):
        open_patterns(write(tmp_path / "b.h5", **sets | {"scaled": [1]}))


def nexus(file: h5py.File, groups: dict[str, tuple[Any, ...]], default: str = "") -> None:
    """An entry with a detector and an NXdata group for each name: data, mask, distance in mm, pixels in um."""
    entry = file.create_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    for name, (data, mask, distance, pixel) in groups.items():
        detector = entry.create_group(f"instrument/{name}")
        detector.attrs["NX_class"] = np.bytes_("NXdetector")
        detector["data"], detector["pixel_mask"], detector["distance"] = data, mask, distance
        detector["x_pixel_size"] = detector["y_pixel_size"] = pixel
        detector["distance"].attrs["units"], detector["x_pixel_size"].attrs["units"] = "mm", "um"
        detector["y_pixel_size"].attrs["units"] = "um"
        plot = entry.create_group(f"{name}_plot")
        plot.attrs["NX_class"], plot.attrs["signal"] = "NXdata", np.array([b"data"])
        plot["data"] = h5py.SoftLink(f"/entry/instrument/{name}/data")
    entry["instrument/beam/incident_energy"] = 1.6
    entry["instrument/beam/incident_energy"].attrs["units"] = "keV"
    if default:
        file.attrs["default"], entry.attrs["default"] = "entry", default


TWO = {"front": (STACK, FRONT_MASK, 580.0, 600.0), "rear": (REAR, REAR_MASK, 2400.0, 75.0)}
OF_REAR = {"distance": 2.4, "pixel_size": 7.5e-5, "photon_energy": 1600.0}


def test_the_only_entry_is_the_default_where_the_root_does_not(tmp_path) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        nexus(file, TWO, "rear_plot")
        del file.attrs["default"]
    assert open_patterns(tmp_path / "a.nxs").geometry == pytest.approx(OF_REAR)
    with h5py.File(tmp_path / "b.nxs", "w") as file:
        nexus(file, TWO, "rear_plot")
        del file.attrs["default"]
        file.create_group("other").attrs["NX_class"] = "NXentry"
    with pytest.raises(UserError, match="more than one data set"):
        open_patterns(tmp_path / "b.nxs")


def test_signal_of_the_default_group_decides(tmp_path) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        nexus(file, TWO, "rear_plot")
    rear = open_patterns(tmp_path / "a.nxs")
    np.testing.assert_array_equal(rear.read([2]), np.where(REAR_MASK, 0, REAR[2])[None])
    assert rear.geometry == pytest.approx(OF_REAR)
    with h5py.File(tmp_path / "b.nxs", "w") as file:
        nexus(file, TWO)
    with pytest.raises(UserError, match=r"more than one data set.*front_plot/data.*rear_plot/data"):
        open_patterns(tmp_path / "b.nxs")
    for key in ("entry/rear_plot/data", "/entry/instrument/rear/data"):
        assert open_patterns(tmp_path / "b.nxs", PatternKeys(photons=key)).geometry == pytest.approx(OF_REAR)


def test_an_absent_detector_file_is_named(tmp_path) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update(NX_class="NXentry", default="measurement")
        entry.create_group("measurement").attrs.update(NX_class="NXdata", signal="rc")
        entry["measurement/rc"], entry["sample/orientation_matrix"] = np.arange(6), np.zeros((1, 3, 3))
        entry.create_group("pil").attrs.update(NX_class="NXdata", signal="data")
        entry["pil/data"] = h5py.ExternalLink("files/scan.hdf", "/entry/data")
    with pytest.raises(UserError, match=r"'entry/pil/data'.*/entry/data of files/scan\.hdf"):
        open_patterns(tmp_path / "a.nxs")
    (tmp_path / "files").mkdir()
    write(tmp_path / "files" / "scan.hdf", entry__data=STACK)
    file = open_patterns(tmp_path / "a.nxs")
    np.testing.assert_array_equal(file.read([5]), STACK[[5]])
    assert any("files/scan.hdf" in str(note) for note in file.notes)


def test_series_of_an_eiger_master(tmp_path) -> None:
    for number in (1, 2):
        write(tmp_path / f"run_data_{number:06d}.h5", entry__data__data=STACK[3 * number - 3 : 3 * number])
    with h5py.File(tmp_path / "run_master.h5", "w") as file:
        for number in (1, 2):
            link = h5py.ExternalLink(f"run_data_{number:06d}.h5", "entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link
        file["entry/data"].attrs["NX_class"] = "NXdata"
        file["entry/instrument/detector/detectorSpecific/pixel_mask"] = FRONT_MASK.astype("u4")
        file["entry/instrument/detector/detector_distance"] = 0.2
    master = open_patterns(tmp_path / "run_master.h5")
    np.testing.assert_array_equal(master.read([4, 0]), np.where(FRONT_MASK, 0, STACK)[[4, 0]])
    assert master.geometry == {"distance": 0.2}
    (tmp_path / "run_data_000002.h5").rename(tmp_path / "away.h5")
    with pytest.raises(UserError, match=r"data_000002'.*of run_data_000002\.h5"):
        open_patterns(tmp_path / "run_master.h5")
    with h5py.File(tmp_path / "plain_master.h5", "w") as file:  # of no class
        for number, part in ((1, 1), (2, 2), (3, 1)):
            link = h5py.ExternalLink(f"run_data_{part:06d}.h5", "entry/data/data")
            file[f"entry/data/data_{number:06d}"] = link
    with pytest.raises(UserError, match=r"data_000002'.*of run_data_000002\.h5"):
        open_patterns(tmp_path / "plain_master.h5")


def detector(file: h5py.File, path: str, data: Any, mask: Any = None, distance: float = 0, pixel: float = 0) -> None:
    file[f"{path}/data"] = data
    if mask is not None:
        file[f"{path}/mask"], file[f"{path}/distance"] = mask, distance
        file[f"{path}/x_pixel_size"] = file[f"{path}/y_pixel_size"] = pixel


def hard_link(file: h5py.File) -> str:
    detector(file, "entry_1/instrument_1/detector_2", REAR, REAR_MASK, 2.4, 7.5e-5)
    file["entry_1/data_2/data"] = file["entry_1/instrument_1/detector_2/data"]
    return "entry_1/data_2/data"


def linked_group(file: h5py.File) -> str:
    detector(file, "entry_1/instrument_1/detector_2", REAR, REAR_MASK, 2.4, 7.5e-5)
    file["entry_1/data_2"] = h5py.SoftLink("/entry_1/instrument_1/detector_2")
    return "entry_1/data_2/data"


def copied(file: h5py.File) -> str:
    detector(file, "entry_1/instrument_1/detector_2", REAR + 1, REAR_MASK, 2.4, 7.5e-5)
    file["entry_1/data_2/data"] = REAR
    return "entry_1/data_2/data"


def other_instrument(file: h5py.File) -> str:
    detector(file, "entry_1/instrument_2/detector_1", REAR, REAR_MASK, 2.4, 7.5e-5)
    return "entry_1/instrument_2/detector_1/data"


@pytest.mark.parametrize("add", [hard_link, linked_group, copied, other_instrument])
def test_mask_and_geometry_are_those_of_the_second_detector(tmp_path, add: Callable[[h5py.File], str]) -> None:
    with h5py.File(tmp_path / "a.cxi", "w") as file:
        detector(file, "entry_1/instrument_1/detector_1", STACK, FRONT_MASK, 0.58, 6e-4)
        file["entry_1/instrument_1/source_1/energy"] = 1600 * JOULE_PER_EV
        key = add(file)
    rear = open_patterns(tmp_path / "a.cxi", PatternKeys(photons=key))
    assert rear.geometry == pytest.approx(OF_REAR)
    np.testing.assert_array_equal(rear.mask, REAR_MASK == 0)


def test_what_a_second_detector_lacks_is_not_that_of_the_first(tmp_path) -> None:
    with h5py.File(tmp_path / "a.cxi", "w") as file:
        detector(file, "entry_1/instrument_1/detector_1", STACK, FRONT_MASK, 0.58, 6e-4)
        detector(file, "entry_1/instrument_1/detector_2", REAR)
        detector(file, "entry_2/instrument_1/detector_1", REAR, REAR_MASK, 2.4, 7.5e-5)
        file["entry_1/instrument_1/source_1/energy"] = 1600 * JOULE_PER_EV
    second = open_patterns(tmp_path / "a.cxi", PatternKeys(photons="entry_1/instrument_1/detector_2/data"))
    assert second.geometry == pytest.approx({"photon_energy": 1600})
    assert second.mask is None
    entry = open_patterns(tmp_path / "a.cxi", PatternKeys(photons="entry_2/instrument_1/detector_1/data"))
    assert entry.geometry == {"distance": 2.4, "pixel_size": 7.5e-5}


def test_a_link_into_another_file_brings_its_detector(tmp_path) -> None:
    with h5py.File(tmp_path / "rear.cxi", "w") as file:
        detector(file, "entry_1/instrument_1/detector_1", REAR, REAR_MASK, 2.4, 7.5e-5)
        file["entry_1/instrument_1/source_1/energy"] = 1600 * JOULE_PER_EV
    with h5py.File(tmp_path / "a.cxi", "w") as file:
        detector(file, "entry_1/instrument_1/detector_1", STACK, FRONT_MASK, 0.58, 6e-4)
        file["entry_1/data_2/data"] = h5py.ExternalLink("rear.cxi", "/entry_1/instrument_1/detector_1/data")
    rear = open_patterns(tmp_path / "a.cxi", PatternKeys(photons="entry_1/data_2/data"))
    assert rear.geometry == pytest.approx(OF_REAR)
    np.testing.assert_array_equal(rear.mask, REAR_MASK == 0)


def test_groups_of_a_plain_file_keep_their_own(tmp_path) -> None:
    sets = {"a__frames": STACK, "a__mask": FRONT_MASK, "b__frames": REAR, "b__distance": 2.4, "photon_energy": 1600.0}
    file = open_patterns(write(tmp_path / "a.h5", **sets), PatternKeys(photons="b/frames"))
    assert file.mask is None
    assert file.geometry == {"distance": 2.4, "photon_energy": 1600.0}


def test_a_mask_of_an_unusual_name_is_named(tmp_path) -> None:
    file = open_patterns(write(tmp_path / "a.h5", patterns=STACK, shadow_mask=FRONT_MASK))
    assert file.mask is None
    assert any("data.keys.mask=shadow_mask" in str(note) for note in file.notes)


@pytest.mark.parametrize(
    ("name", "frames", "energy"),
    [
        pytest.param("aps_eiger9m_bitshuffle.h5", (1, 3262, 3108), 13300, marks=pytest.mark.slow),
        ("esrf_bliss_316H_rsm.h5", (11, 68, 1456), 17000),
        ("soleil_xpad_scan101.nxs", (1, 960, 560), 12000.2),
    ],
)
def test_files_of_facilities(spi_data, name, frames, energy) -> None:
    file = open_patterns(spi_data / "formats" / name, check=False)
    assert file.shape == frames
    assert file.geometry["photon_energy"] == pytest.approx(energy, rel=1e-5)


def test_the_absent_detector_file_of_a_real_scan(spi_data) -> None:
    with pytest.raises(UserError, match=r"of 1040323-pilatus3_100k-files/1040323\.hdf, which does not exist"):
        open_patterns(spi_data / "formats" / "dls_i16_1040323.nxs")
