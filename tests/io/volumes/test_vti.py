from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.volumes.vti import read_vti, write_vti


def test_volumes_come_back_with_their_axes_and_spacing(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    density = (random.normal(size=(3, 4, 5)) + 1j * random.normal(size=(3, 4, 5))).astype(np.complex64)
    support = np.abs(density) > 1
    path = write_vti(tmp_path / "a.vti", {"density": density, "in & out": support}, spacing=(3.0, 2.0, 1.0))
    found, spacing = read_vti(path)
    np.testing.assert_array_equal(found["density_amplitude"], np.abs(density))
    np.testing.assert_array_equal(found["density_phase"], np.angle(density))
    np.testing.assert_array_equal(found["in & out"], support)
    assert spacing.tolist() == [3, 2, 1]


def test_the_header_counts_x_first_as_vtk_does(tmp_path: Path) -> None:
    path = write_vti(tmp_path / "a.vti", {"v": np.zeros((3, 4, 5), np.float32)}, spacing=(3.0, 2.0, 1.0))
    text = path.read_bytes().split(b"<AppendedData")[0] + b"</VTKFile>"
    image = ElementTree.fromstring(text)[0]
    assert image.attrib["WholeExtent"] == "0 4 0 3 0 2"
    assert image.attrib["Spacing"] == "1 2 3"
    assert image.attrib["Origin"] == "-2 -4 -3"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros((2, 2))}, "volumes"),
        ({"a": np.zeros((2, 2, 2)), "b": np.zeros((3, 2, 2))}, "one shape"),
        ({"a": np.zeros((2, 2, 2), np.float16)}, "float16"),
        ({}, "volumes"),
    ],
)
def test_what_vtk_cannot_hold_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(UserError, match=words):
        write_vti(tmp_path / "a.vti", arrays)
    assert list(tmp_path.iterdir()) == []
