"""Densities of every format come back with the voxel that the file states, or without one."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.volumes.cxi_image import CxiImage, write_cxi_image
from spi_lightning.io.volumes.density_file import read_density
from spi_lightning.io.volumes.mrc import write_mrc
from spi_lightning.io.volumes.npz import write_npz
from spi_lightning.io.volumes.vti import write_vti
from tests.reconstruction.merged_file import body, write_merged

DENSITY = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
WHOLE = (DENSITY * np.exp(1j * DENSITY)).astype(np.complex64)
EDGES = (1e-9, 2e-9, 3e-9)


def test_every_format_gives_the_same_density_and_voxel(tmp_path: Path) -> None:
    write_cxi_image(tmp_path / "a.cxi", CxiImage(WHOLE, DENSITY > 0.5, EDGES))
    write_npz(tmp_path / "a.npz", {"best": DENSITY, "density": WHOLE, "voxel_m": np.array(EDGES)})
    arrays = {"amplitude": DENSITY, "phase_rad": DENSITY, "support": DENSITY > 0.5}
    write_vti(tmp_path / "a.vti", arrays, np.array(EDGES) * 1e9, notes={"length_unit": "nm"})
    for name in ("a.cxi", "a.npz", "a.vti"):
        found = read_density(tmp_path / name)
        np.testing.assert_allclose(found.values, WHOLE, rtol=1e-5)
        assert found.voxel == pytest.approx(EDGES)
    assert read_density(tmp_path / "a.cxi").support.sum() == (DENSITY > 0.5).sum()
    write_mrc(tmp_path / "a.mrc", DENSITY, EDGES)
    found = read_density(tmp_path / "a.mrc")
    np.testing.assert_array_equal(found.values, DENSITY)
    assert found.voxel == pytest.approx(EDGES, rel=1e-5)


def test_a_voxel_that_no_file_states_is_not_made_up(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DENSITY)
    write_vti(tmp_path / "a.vti", {"x": DENSITY}, 1.0, notes={"length_unit": "voxel"})
    write_vti(tmp_path / "b.vti", {"x": DENSITY}, 2.0)
    write_mrc(tmp_path / "a.mrc", DENSITY, 1e-10)  # as programs write where they know none
    for name in ("a.npy", "a.vti", "b.vti", "a.mrc"):
        assert read_density(tmp_path / name).voxel is None
    assert "1 angstrom" in read_density(tmp_path / "a.mrc").notes[0].text


def test_a_named_array_is_taken_and_a_missing_one_listed(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", {"first": DENSITY, "second": 2 * DENSITY})
    np.testing.assert_array_equal(read_density(tmp_path / "a.npz").values, DENSITY)
    np.testing.assert_array_equal(read_density(tmp_path / "a.npz", "second").values, 2 * DENSITY)
    with pytest.raises(UserError, match="there are: first, second"):
        read_density(tmp_path / "a.npz", "third")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["rho"] = DENSITY
    np.testing.assert_array_equal(read_density(tmp_path / "a.h5", "rho").values, DENSITY)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((8, 8), np.nan), "NaN"),
        (np.zeros((8, 8)), "0 everywhere"),
        (np.ones((2, 3, 4, 5)), "an image"),
        (np.ones(9), "an image"),
    ],
)
def test_what_is_no_density_is_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(UserError, match=message):
        read_density(tmp_path / "a.npy")


def test_a_merged_intensity_and_other_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="spi phase output_001"):
        read_density(write_merged(tmp_path / "output_001.h5", body()))
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(UserError, match="formats are CXI"):
        read_density(tmp_path / "a.txt")
    (tmp_path / "a.mrc").write_text("hello")
    with pytest.raises(UserError, match="MRC"):
        read_density(tmp_path / "a.mrc")
    with pytest.raises(UserError, match="no such file"):
        read_density(tmp_path / "absent.npy")
