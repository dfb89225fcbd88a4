"""The names that ``import spi_lightning`` offers."""

import subprocess
import sys

import pytest

import spi_lightning


def test_every_public_name_is_there() -> None:
    for name in spi_lightning.__all__:
        assert getattr(spi_lightning, name).__name__ == name
    assert {*spi_lightning.__all__, "__version__"} == set(dir(spi_lightning))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'phased'"):
        _ = spi_lightning.phased


def test_phasing_waits_for_no_lightning() -> None:
    code = "import sys; from spi_lightning import phase, measure_scan; print('pytorch_lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    heavy = "torch", "numpy", "h5py", "matplotlib", "pytorch_lightning", "hydra"
    code = f"import sys, spi_lightning; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
