from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import torch

from spi_lightning.errors import UserError
from spi_lightning.io import load_mask
from spi_lightning.simulate import BadPixels


def write(path, with_mask: bool = True) -> str:
    with h5py.File(path, "w") as file:
        file["patterns"] = np.ones((3, 8, 8), np.uint16)
        if with_mask:
            file["mask"] = np.zeros((8, 8), np.uint8)
            file["mask"][3, 4] = 1
    return str(path)


def test_mask_of_a_file_becomes_the_simulated_detectors(tmp_path) -> None:
    mask = load_mask(write(tmp_path / "a.h5"), "patterns", "mask", "bad")
    assert mask.dtype == torch.bool
    assert (~mask).nonzero().tolist() == [[3, 4]]
    drawn = BadPixels(fixed=mask)(2, (8, 8), torch.Generator())
    assert torch.equal(drawn, mask.expand(2, 8, 8))


def test_binned_mask_loses_the_whole_bin(tmp_path) -> None:
    mask = load_mask(write(tmp_path / "a.h5"), "patterns", "mask", "bad", bin=4)
    assert mask.tolist() == [[True, False], [True, True]]


def test_wrong_masks_are_named(tmp_path) -> None:
    path = write(tmp_path / "a.h5")
    with pytest.raises(UserError, match="divisor"):
        load_mask(path, "patterns", "mask", "bad", bin=3)
    with pytest.raises(UserError, match="mask"):
        load_mask(write(tmp_path / "b.h5", with_mask=False), "patterns")
    with pytest.raises(UserError, match="shape"):
        BadPixels(fixed=load_mask(path, "patterns", "mask", "bad"))(1, (16, 16), torch.Generator())


def test_the_mask_of_a_file_in_detector_units(tmp_path) -> None:
    bad = np.zeros((16, 16), np.uint8)
    bad[3:5] = 1
    with h5py.File(tmp_path / "adu.h5", "w") as file:
        file["adu"], file["mask"] = np.random.default_rng(0).normal(0, 9, (4, 16, 16)), bad
    np.testing.assert_array_equal(load_mask(str(tmp_path / "adu.h5")), bad == 0)


@pytest.mark.parametrize("name", ["m.npy", "m.tif", "m.txt", "m.h5"])
def test_a_mask_that_is_a_file_of_its_own(tmp_path, name) -> None:
    bad, path = np.zeros((16, 16), np.uint8), tmp_path / name
    bad[3:5] = 1
    if name == "m.h5":
        with h5py.File(path, "w") as file:
            file["mask"] = bad
    else:
        write = {"m.npy": np.save, "m.tif": tifffile.imwrite, "m.txt": lambda path, mask: np.savetxt(path, mask, "%d")}
        write[name](path, bad)
    for convention, measured in (("auto", bad == 0), ("bad", bad == 0), ("good", bad == 1)):
        np.testing.assert_array_equal(load_mask(str(path), mask_convention=convention), measured)


def test_a_pattern_alone_is_no_mask(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).poisson(3, (16, 16)))
    with pytest.raises(UserError, match="no mask found"):
        load_mask(str(tmp_path / "a.npy"))


def test_a_detector_without_a_measured_pixel(tmp_path) -> None:
    with pytest.raises(UserError, match="leave nothing of 8 x 8 pixels measured"):
        BadPixels(gap=(20, 20))(2, (8, 8), torch.Generator())


def test_a_mask_is_cut_about_the_beam_and_a_hole_beside_the_middle_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows, columns = np.indices((80, 60))
    good = np.hypot(rows - 47, columns - 24) > 5
    good[38:41] = False  # a gap
    np.save(tmp_path / "good.npy", good.astype(np.uint8))
    assert load_mask(str(tmp_path / "good.npy")).shape == (80, 60)
    assert "hole of the mask is about row 47.0, column 24.0, beside the middle" in caplog.text
    caplog.clear()
    cut = load_mask(str(tmp_path / "good.npy"), crop=40, beam_centre=[47, 24])
    assert np.array_equal(cut.numpy(), good[27:67, 4:44]) and "hole" not in caplog.text
    centred = np.hypot(rows - 39, columns - 29.5) > 5
    np.save(tmp_path / "good.npy", centred.astype(np.uint8))
    load_mask(str(tmp_path / "good.npy"))
    assert "hole" not in caplog.text
