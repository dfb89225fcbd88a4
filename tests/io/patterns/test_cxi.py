"""None"""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spi_lightning.errors import UserError
from spi_lightning.io import CxiWriter, PatternFile, PatternKeys, open_patterns, write_selection

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


SELECTED_PHOTONS = np.random.default_rng(0).poisson(3.0, (9, 6, 5)).astype(np.uint16)
MASK = np.ones((6, 5), dtype=bool)
MASK[1] = False


@pytest.fixture
def source(tmp_path) -> PatternFile:
    with CxiWriter(tmp_path / "runs" / "a.cxi", (6, 5), 9, labels={"is_single_hit": ((), "int64")}) as cxi:
        cxi.write(
            0, SELECTED_PHOTONS, MASK, {"is_single_hit": np.arange(9) % 2}, {"photon_energy": 1000.0 + np.arange(9)}
        )
    return open_patterns(tmp_path / "runs" / "a.cxi")


@given(frames=st.lists(st.integers(0, 8), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_selection_links_to_the_chosen_frames(tmp_path, source, frames) -> None:
    write_selection(tmp_path / "chosen.cxi", source, frames)
    with h5py.File(tmp_path / "chosen.cxi") as file:
        assert file["entry_1/data_1/data"].is_virtual
        np.testing.assert_array_equal(file["entry_1/data_1/data"][()], SELECTED_PHOTONS[frames])
    chosen = open_patterns(tmp_path / "chosen.cxi")
    np.testing.assert_array_equal(chosen.read(range(len(frames))), source.read(frames))
    np.testing.assert_array_equal(chosen.mask, MASK)
    np.testing.assert_array_equal(chosen.labels["frame"], frames)
    np.testing.assert_array_equal(chosen.labels["is_single_hit"], np.array(frames) % 2)
    energy = np.broadcast_to(chosen.geometry["photon_energy"], len(frames))
    np.testing.assert_allclose(energy, 1000.0 + np.array(frames))


def test_links_are_relative_and_their_loss_is_noticed(tmp_path, source) -> None:
    write_selection(tmp_path / "chosen.cxi", source, [4, 2])
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "runs", tmp_path / "elsewhere" / "runs")
    with pytest.raises(UserError, match=r"its values lie in runs/a\.cxi, which does not exist"):
        open_patterns(tmp_path / "chosen.cxi")
    shutil.move(tmp_path / "chosen.cxi", tmp_path / "elsewhere")
    np.testing.assert_array_equal(
        open_patterns(tmp_path / "elsewhere" / "chosen.cxi").read([0]), np.where(MASK, SELECTED_PHOTONS, 0)[[4]]
    )


def test_frames_of_many_files_and_of_single_images(tmp_path, source) -> None:
    with h5py.File(tmp_path / "runs" / "b.cxi", "w") as file:
        file["entry_1/data_1/data"] = SELECTED_PHOTONS[0] + 1
    both = open_patterns([tmp_path / "runs" / "a.cxi", tmp_path / "runs" / "b.cxi"])
    write_selection(tmp_path / "chosen.cxi", both, [9, 1, 8])
    chosen = open_patterns(tmp_path / "chosen.cxi")
    np.testing.assert_array_equal(chosen.read(range(3)), both.read([9, 1, 8]))
    np.testing.assert_array_equal(chosen.read_mask([0, 1]), both.read_mask([9, 1]))


def test_formats_without_links_are_copied(tmp_path) -> None:
    np.save(tmp_path / "a.npy", SELECTED_PHOTONS)
    write_selection(tmp_path / "chosen.cxi", open_patterns(tmp_path / "a.npy"), [3, 3, 0])
    np.testing.assert_array_equal(open_patterns(tmp_path / "chosen.cxi").read(range(3)), SELECTED_PHOTONS[[3, 3, 0]])


@pytest.mark.parametrize(("frames", "message"), [([], "no frames were selected"), ([9], "frame 9 does not exist")])
def test_nothing_is_written_for_nothing(tmp_path, source, frames, message) -> None:
    with pytest.raises(UserError, match=message):
        write_selection(tmp_path / "chosen.cxi", source, frames)
    assert not (tmp_path / "chosen.cxi").exists()


def test_a_selection_that_was_moved_names_the_path_looked_for(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "run/selection").mkdir(parents=True)
    with h5py.File(tmp_path / "data/a.h5", "w") as file:
        file["photons"] = np.ones((3, 8, 8), dtype="i4")
    selection = tmp_path / "run/selection"
    source = open_patterns(tmp_path / "data/a.h5")
    write_selection(selection / "selected.cxi", source, [0, 2])
    (selection / "index.txt").write_text("../../data/a.h5,0\n")
    assert len(open_patterns(selection / "index.txt")) == 1 and len(open_patterns(selection / "selected.cxi")) == 2
    (tmp_path / "far/away").mkdir(parents=True)
    moved = (tmp_path / "run").rename(tmp_path / "far/away/run") / "selection"
    for name in ("selected.cxi", "index.txt"):
        with pytest.raises(
            UserError, match=rf"searched at {tmp_path}/far/away/data/a\.h5.*{name} refers to its data"
        ) as e:
            open_patterns(moved / name)
        assert "put it back" not in str(e.value) and "write it again" in str(e.value)
