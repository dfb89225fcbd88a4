from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.volumes.cxi_image import CxiImage, read_cxi_image, write_cxi_image


@pytest.mark.parametrize(("shape", "kind"), [((9, 12), np.float32), ((5, 6, 7), np.complex64)])
def test_an_image_comes_back(tmp_path: Path, shape: tuple[int, ...], kind: type) -> None:
    generator = np.random.default_rng(0)
    density = generator.normal(size=shape).astype(kind)
    support = generator.random(shape) > 0.5
    edges = [1e-9 * (axis + 1) for axis in range(len(shape))]
    image = CxiImage(density, support, edges, {"prtf": np.linspace(1, 0, 5)}, {"recipe": "10*ER"})
    back = read_cxi_image(write_cxi_image(tmp_path / "a.cxi", image))
    np.testing.assert_array_equal(back.density, density)
    np.testing.assert_array_equal(back.support, support)
    np.testing.assert_allclose(back.pixel_size, edges)
    np.testing.assert_allclose(back.results["prtf"], np.linspace(1, 0, 5))
    assert back.notes["recipe"] == "10*ER"


def test_the_file_is_cxi_as_others_read_it(tmp_path: Path) -> None:
    density = np.zeros((4, 6), dtype=np.complex64)
    density[1, 2] = 1 + 2j
    path = write_cxi_image(tmp_path / "a.cxi", CxiImage(density, density != 0, [1e-9, 2e-9]))
    with h5py.File(path) as file:
        assert file["cxi_version"][()] == 150
        assert file["entry_1/data_1/data"][1, 2] == 1 + 2j
        assert file["entry_1/data_1/data"].dtype.names is None  # h5py's complex is the compound {r, i} in the file
        np.testing.assert_allclose(file["entry_1/image_1/image_size"][()], [12e-9, 4e-9, 0])
        np.testing.assert_allclose(file["entry_1/image_1/image_center"][()], [3, 2, 0])
        assert file["entry_1/image_1/mask"][1, 2] == 0x10000


def test_nan_and_other_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="NaN"):
        write_cxi_image(tmp_path / "a.cxi", CxiImage(np.full((3, 3), np.nan), np.ones((3, 3), dtype=bool)))
    with pytest.raises(UserError, match="one 2D or 3D shape"):
        write_cxi_image(tmp_path / "a.cxi", CxiImage(np.ones((3, 3)), np.ones((3, 4), dtype=bool)))
    assert not list(tmp_path.iterdir())
    with h5py.File(tmp_path / "b.cxi", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="holds no /entry_1/image_1/data"):
        read_cxi_image(tmp_path / "b.cxi")
