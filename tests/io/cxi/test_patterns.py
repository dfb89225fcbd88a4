from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns

PHOTONS = np.random.default_rng(0).poisson(3.0, (4, 6, 5)).astype(np.uint16)
BAD = np.zeros((6, 5), dtype=np.uint16)
BAD[2] = 0x200


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.cxi"


def test_condor_like_file(path) -> None:
    with h5py.File(path, "w") as file:
        file["cxi_version"], file["number_of_entries"] = [160], 1
        detector = file.create_group("entry_1/instrument_1/detector_1")
        detector["data"] = PHOTONS
        detector["data"].attrs["axes"] = [b"experiment_identifier:y:x"]
        detector["mask"] = np.tile(BAD, (4, 1, 1)) | 0x100  # out of resolution, but measured
        detector["distance"], detector["x_pixel_size"] = 0.738, 75e-6
        file["entry_1/instrument_1/source_1/energy"] = np.full(4, 1200 * 1.602176634e-19)
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
    opened = open_patterns(path)
    assert opened.format == "CXI 1.60"
    np.testing.assert_array_equal(opened.read([3, 0]), np.where(BAD, 0, PHOTONS)[[3, 0]])
    assert opened.geometry == pytest.approx({"distance": 0.738, "pixel_size": 75e-6, "photon_energy": 1200})


def test_the_smallest_valid_file(path) -> None:
    with h5py.File(path, "w") as file:
        file["entry_1/data_1/data"] = PHOTONS
    opened = open_patterns(path)
    assert opened.format == "CXI"
    assert opened.mask is None
    assert opened.labels == {}
    np.testing.assert_array_equal(opened.read(range(4)), PHOTONS)
    assert opened.read_mask([1, 1]).all()


def test_a_single_image_with_the_opposite_mask_of_libspimage(path) -> None:
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 150
        file["entry_1/image_1/data"], file["entry_1/image_1/mask"] = PHOTONS[0], (BAD == 0).astype(np.int32)
    opened = open_patterns(path)
    assert opened.shape == (1, 6, 5)
    np.testing.assert_array_equal(opened.mask, BAD == 0)
    assert any("1 = measured" in str(note) for note in opened.notes)


def test_good_pixels_beside_the_detector(path) -> None:
    with h5py.File(path, "w") as file:
        file["entry_1/instrument_1/detector_1/data"] = PHOTONS
        file["entry_1/instrument_1/detector_1/good_pixels"] = (BAD == 0).astype(np.uint8)
    np.testing.assert_array_equal(open_patterns(path).mask, BAD == 0)


def test_user_keys_override_the_standard_paths(path) -> None:
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        file["entry_1/data_1/data"] = PHOTONS
        file["entry_2/data_1/data"], file["mine/label"], file["mine/mask"] = PHOTONS + 1, [1, 0, 0, 1], BAD
    opened = open_patterns(path, PatternKeys("entry_2/data_1/data", label="mine/label", mask="mine/mask"))
    np.testing.assert_array_equal(opened.read([1]), np.where(BAD, 0, PHOTONS[1:2] + 1))
    np.testing.assert_array_equal(opened.labels["is_single_hit"], [1, 0, 0, 1])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((3, 2, 6, 5)), "modular .N, module, y, x.; assemble the modules"),
        (np.zeros((0, 6, 5)), "empty"),
        (np.zeros((4, 6, 5), dtype=complex), "complex"),
    ],
)
def test_what_is_no_stack_of_photons_is_refused(path, data, message) -> None:
    with h5py.File(path, "w") as file:
        file["cxi_version"], file["entry_1/data_1/data"] = 160, data
    with pytest.raises(UserError, match=message):
        open_patterns(path)


def test_missing_patterns_and_dangling_links_are_named(path) -> None:
    with h5py.File(path, "w") as file:
        file["cxi_version"], file["entry_1/sample_1/name"], file["other"] = 160, "virus", PHOTONS
    assert any("'other' (the only stack)" in str(note) for note in open_patterns(path).notes)
    path = path.with_name("b.cxi")
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        file["entry_1/data_1/data"] = h5py.ExternalLink("gone.h5", "/data")
    with pytest.raises(UserError, match=r"is a link to /data of gone\.h5, which does not exist"):
        open_patterns(path)
