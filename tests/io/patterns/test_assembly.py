"""A stated beam centre is used where it lies inside the frames, and is said not to be elsewhere."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.data.frame_columns import measure_frames
from spi_lightning.io import PatternFile, open_patterns

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
    ("centre", "message"),
    [
        ([-30.0, 200.0], r"row -30, column 200, outside the 24 x 32 pixels"),
        ([12.0, 32.0], "outside"),
        (12.0, "row and column are two numbers"),
        ([1.0, 2.0, 3.0], "row and column are two numbers"),
        ([np.nan, 3.0], "outside"),
    ],
)
def test_what_is_no_centre_is_noted_and_not_used(tmp_path, centre, message) -> None:
    file = file_with(tmp_path / "a.h5", centre)
    assert "beam_centre" not in file.geometry and any(
        message in str(note) and "not used" in str(note) for note in file.notes
    )


def test_centres_inside_are_used(tmp_path) -> None:
    assert file_with(tmp_path / "a.h5", [0.0, 31.2]).geometry["beam_centre"].tolist() == [0, 31.2]
    each = np.tile([11.0, 15.0], (4, 1))
    each[2] = -100, 3
    file = file_with(tmp_path / "b.h5", each, as_attribute=False)
    assert np.isnan(file.geometry["beam_centre"][2]).all() and file.geometry["beam_centre"][1].tolist() == [11, 15]
    assert any("1 of 4 frames' beam centres" in str(note) for note in file.notes)


def test_symmetry_at_the_edge_is_no_infinite_number(tmp_path) -> None:
    file = file_with(tmp_path / "a.h5", [0.0, 0.0])
    assert any("row 0, column 0 is so near the edge" in str(note) for note in file.notes)
    columns = measure_frames(file)
    assert not np.isinf(columns["symmetry"]).any() and np.isnan(columns["beam_row"]).all()


def nexus_with(path: Path, x: object, y: object, units: tuple[str | None, str | None] = (None, None)) -> PatternFile:
    """A NeXus detector of pixels of 0.1 mm along both axes that states a beam centre, where x and y are not None."""
    with h5py.File(path, "w") as file:
        detector = file.create_group("entry/instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector["data"], detector["x_pixel_size"], detector["y_pixel_size"] = PHOTONS, 1e-4, 1e-4
        for name, value, unit in (("beam_center_x", x, units[0]), ("beam_center_y", y, units[1])):
            if value is not None:
                detector[name] = value
                if unit:
                    detector[name].attrs["units"] = unit
    return open_patterns(path)


@pytest.mark.parametrize(
    ("x", "y", "units"),
    [
        (15.5, 11.25, (None, None)),
        (np.array([15.5]), np.array([11.25]), ("pixel", "pixels")),
        (1.55, 1.125, ("mm", "mm")),
        (1.55e-3, 1125.0, ("m", "um")),
        (1.55e-3, 1.125e-3, (None, None)),
        ("15.5 pixel", "1.125 mm", (None, None)),
        (np.full(4, 15.5), np.full(4, 11.25, np.float32), ("px", "px")),
    ],
)
def test_centres_of_nexus_are_rows_and_columns_in_pixels(tmp_path, x, y, units) -> None:
    centre = nexus_with(tmp_path / "a.nxs", x, y, units).geometry["beam_centre"]
    np.testing.assert_allclose(centre, [11.25, 15.5])


def test_each_frame_may_have_a_centre_of_nexus(tmp_path) -> None:
    centre = nexus_with(tmp_path / "a.nxs", 15.0 + np.arange(4), 11.0).geometry["beam_centre"]
    np.testing.assert_allclose(centre, [[11, 15], [11, 16], [11, 17], [11, 18]])


@pytest.mark.parametrize(
    ("x", "y", "units", "message"),
    [
        (0.0, 0.0, (None, None), "are 0 and state no beam centre"),
        (15.0, None, (None, None), "along the other axis is missing"),
        (15.0, 400.0, (None, None), "row 400, column 15, outside the 24 x 32 pixels"),
        (15.0, "low", (None, None), "is empty or not a number"),
        (15.0, 11.0, ("deg", "deg"), "'deg' is neither pixels nor a length"),
        (np.array([15.0, 16.0]), 11.0, (None, None), "holds 2 numbers for 4 frames"),
    ],
)
def test_what_is_no_centre_of_nexus_is_noted_and_not_used(tmp_path, x, y, units, message) -> None:
    file = nexus_with(tmp_path / "a.nxs", x, y, units)
    assert "beam_centre" not in file.geometry and any(message in str(note) for note in file.notes)


def test_a_pair_in_millimetres_is_converted(tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["patterns"], file["beam_centre"] = PHOTONS, [1.1, 1.5]
        file["beam_centre"].attrs["units"] = "mm"
        file.attrs["pixel_size_um"] = 100.0
    np.testing.assert_allclose(open_patterns(tmp_path / "a.h5").geometry["beam_centre"], [11, 15])
