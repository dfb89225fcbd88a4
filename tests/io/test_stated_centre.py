"""A stated beam centre is used where it lies inside the frames, and is said not to be elsewhere."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.methods.frame_columns import measure_frames

PHOTONS = np.random.default_rng(0).poisson(3.0, (4, 24, 32)).astype(np.uint16)


def file_with(path: Path, centre: object, as_attribute: bool = True) -> PatternFile:
    with h5py.File(path, "w") as file:
        file["patterns"] = PHOTONS
        if as_attribute:
            file.attrs["beam_centre"] = centre
        else:
            file["beam_centre"] = centre
    return open_patterns(path)


@pytest.mark.parametrize(
    ("centre", "said"),
    [
        ([-30.0, 200.0], r"row -30, column 200, outside the 24 x 32 pixels"),
        ([12.0, 32.0], "outside"),
        (12.0, "row and column are two numbers"),
        ([1.0, 2.0, 3.0], "row and column are two numbers"),
        ([np.nan, 3.0], "outside"),
    ],
)
def test_what_is_no_centre_is_said_and_not_used(tmp_path, centre, said) -> None:
    file = file_with(tmp_path / "a.h5", centre)
    assert "beam_centre" not in file.geometry and any(said in note and "not used" in note for note in file.notes)


def test_centres_inside_are_used(tmp_path) -> None:
    assert file_with(tmp_path / "a.h5", [0.0, 31.2]).geometry["beam_centre"].tolist() == [0, 31.2]
    each = np.tile([11.0, 15.0], (4, 1))
    each[2] = -100, 3
    file = file_with(tmp_path / "b.h5", each, as_attribute=False)
    assert np.isnan(file.geometry["beam_centre"][2]).all() and file.geometry["beam_centre"][1].tolist() == [11, 15]
    assert any("1 of 4 frames' beam centres" in note for note in file.notes)


def test_symmetry_at_the_edge_is_no_infinite_number(tmp_path) -> None:
    file = file_with(tmp_path / "a.h5", [0.0, 0.0])
    assert any("row 0, column 0 is so near the edge" in note for note in file.notes)
    columns = measure_frames(file)
    assert not np.isinf(columns["symmetry"]).any() and np.isnan(columns["beam_row"]).all()
