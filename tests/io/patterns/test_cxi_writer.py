""""""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spi_lightning.errors import UserError
from spi_lightning.io import CxiWriter, open_patterns

LABELS = {"is_single_hit": ((), "int64"), "orientation": ((4,), "float32")}


def write_set(path, photons, mask=None, **options) -> None:
    n = len(photons)
    with CxiWriter(path, photons.shape[1:], n, labels=LABELS, attributes={"seed": 3}, **options) as cxi:
        for start in range(0, n, 2):
            part = slice(start, start + 2)
            cxi.write(
                start,
                photons[part],
                mask if mask is None or mask.ndim == 2 else mask[part],
                {"is_single_hit": np.arange(n)[part] % 2, "orientation": np.ones((len(photons[part]), 4))},
                {"distance": 0.5, "pixel_size": 6e-4, "photon_energy": 1500.0 + np.arange(n)[part]},
            )


@pytest.mark.parametrize("compression", ["none", "gzip", "bitshuffle"])
def test_layout_is_cxi_in_si_units(tmp_path, compression) -> None:
    photons = np.random.default_rng(0).poisson(1.0, (5, 6, 8))
    mask = np.ones((6, 8), dtype=bool)
    mask[2] = False
    write_set(tmp_path / "set.cxi", photons, mask, compression=compression)
    with h5py.File(tmp_path / "set.cxi") as file:
        assert file["cxi_version"][()] == 160
        assert file["number_of_entries"][()] == 1
        assert isinstance(file.get("entry_1/data_1/data", getlink=True), h5py.SoftLink)
        detector = file["entry_1/instrument_1/detector_1"]
        np.testing.assert_array_equal(detector["data"][()], photons)
        assert detector["data"].attrs["axes"] == "experiment_identifier:y:x"
        np.testing.assert_array_equal(detector["mask"][()], np.where(mask, 0, 1))
        assert detector["mask"].dtype == np.uint32
        assert detector["distance"][()] == 0.5
        assert detector["x_pixel_size"][()] == detector["y_pixel_size"][()] == 6e-4
        energy = file["entry_1/instrument_1/source_1/energy"][()]
        np.testing.assert_allclose(energy, (1500.0 + np.arange(5)) * 1.602176634e-19, rtol=1e-12)
        np.testing.assert_array_equal(file["entry_1/labels_1/is_single_hit"][()], [0, 1, 0, 1, 0])
        assert file.attrs["seed"] == 3


@given(seed=st.integers(0, 1000), patterns=st.integers(1, 9), height=st.integers(1, 7), per_frame=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(tmp_path, seed, patterns, height, per_frame) -> None:
    rng = np.random.default_rng(seed)
    photons = rng.poisson(2.0, (patterns, height, 5)) + 1
    mask = rng.random((patterns, height, 5) if per_frame else (height, 5)) < 0.9
    mask[..., 0] = True  # not everything may be masked
    write_set(tmp_path / "set.cxi", photons, mask)
    file = open_patterns(tmp_path / "set.cxi")
    assert file.format == "CXI 1.60"
    assert file.shape == photons.shape
    order = rng.integers(0, patterns, 2 * patterns)
    np.testing.assert_array_equal(file.read(order), np.where(np.broadcast_to(mask, photons.shape), photons, 0)[order])
    np.testing.assert_array_equal(file.read_mask(order), np.broadcast_to(mask, photons.shape)[order])
    np.testing.assert_array_equal(file.labels["is_single_hit"], np.arange(patterns) % 2)
    np.testing.assert_allclose(np.broadcast_to(file.geometry["photon_energy"], patterns), 1500.0 + np.arange(patterns))
    assert file.geometry["distance"] == 0.5


def test_masks_that_begin_to_differ_are_kept_for_every_pattern(tmp_path) -> None:
    masks = np.ones((6, 4, 4), dtype=bool)
    masks[4, 1, 1] = masks[5, 2, 2] = False
    write_set(tmp_path / "set.cxi", np.ones((6, 4, 4), dtype=int), masks)
    np.testing.assert_array_equal(open_patterns(tmp_path / "set.cxi").mask, masks)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_nothing(tmp_path, error) -> None:
    with pytest.raises(error), CxiWriter(tmp_path / "set.cxi", (4, 4), 2) as cxi:
        cxi.write(0, np.ones((1, 4, 4), dtype=int))
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_incomplete_set_leaves_the_former_one(tmp_path) -> None:
    write_set(tmp_path / "set.cxi", np.full((2, 4, 4), 7))
    with pytest.raises(ValueError, match="1 of 2"), CxiWriter(tmp_path / "set.cxi", (4, 4), 2) as cxi:
        cxi.write(0, np.ones((1, 4, 4), dtype=int))
    assert [p.name for p in tmp_path.iterdir()] == ["set.cxi"]
    assert open_patterns(tmp_path / "set.cxi").read([0]).max() == 7


def test_counts_never_wrap_around(tmp_path) -> None:
    with pytest.raises(UserError, match="do not fit uint16"), CxiWriter(tmp_path / "set.cxi", (2, 2), 1) as cxi:
        cxi.write(0, np.full((1, 2, 2), 70000))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_full_disk_is_one_line_leaves_nothing_and_does_not_crash(tmp_path, compression) -> None:
    script = """
import numpy as np, resource, signal, sys
from spi_lightning.errors import UserError
from spi_lightning.io import CxiWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
noise = np.random.default_rng(0).integers(0, 60000, (64, 64, 64))
try:
    with CxiWriter(sys.argv[1], (64, 64), 64, compression=sys.argv[2]) as cxi:
        cxi.write(0, noise)
except UserError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "set.cxi"), compression]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "set.cxi: cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_fractional_photons_are_not_cut_off(tmp_path) -> None:
    with pytest.raises(UserError, match="not all whole"), CxiWriter(tmp_path / "set.cxi", (2, 2), 1) as cxi:
        cxi.write(0, np.full((1, 2, 2), 0.5))


def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), CxiWriter(tmp_path / "file" / "set.cxi", (2, 2), 1):
        pass


@pytest.mark.parametrize(("start", "shape"), [(0, (1, 3, 2)), (1, (2, 2, 2)), (-1, (1, 2, 2)), (0, (2, 2))])
def test_patterns_that_do_not_fit_are_refused(tmp_path, start, shape) -> None:
    with pytest.raises(ValueError, match="do not fit"), CxiWriter(tmp_path / "set.cxi", (2, 2), 2) as cxi:
        cxi.write(start, np.zeros(shape, dtype=int))
