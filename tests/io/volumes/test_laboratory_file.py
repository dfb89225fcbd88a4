from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.io.volumes.laboratory_file import read_laboratory, write_laboratory
from spi_lightning.io.volumes.mrc import read_mrc
from spi_lightning.physics.bragg.laboratory import LaboratoryCrystal


def test_a_crystal_comes_back_with_its_voxels(tmp_path: Path) -> None:
    maps = [torch.rand(4, 5, 6) for _ in range(4)]
    about = {"photon energy": "9000 eV"}
    q = torch.tensor([1e10, 0, 0], dtype=torch.float64)
    crystal = LaboratoryCrystal(maps[0], maps[1], 1e-12 * maps[2], 1e-4 * maps[3], maps[0] > 0.5, 8e-9, q, about)
    paths = write_laboratory(tmp_path / "a.1_laboratory", crystal, "here & there")
    assert [path.suffix for path in paths] == [".cxi", ".vti", ".mrc", ".npz"]
    found, title = read_laboratory(tmp_path / "a.1_laboratory.npz")
    assert title == "here & there" and found.about == about and found.voxel_size == 8e-9
    for name in ("amplitude", "phase", "displacement", "strain", "support", "Q"):
        torch.testing.assert_close(getattr(found, name), getattr(crystal, name))
    assert read_mrc(tmp_path / "a.1_laboratory.mrc")[1] == pytest.approx((8e-9,) * 3)


def test_another_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", amplitude=np.zeros(3))
    (tmp_path / "b.npz").write_bytes(b"no")
    for name in ("a.npz", "b.npz", "none.npz"):
        with pytest.raises(UserError, match=name):
            read_laboratory(tmp_path / name)
