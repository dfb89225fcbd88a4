from pathlib import Path

import numpy as np
import pytest

from spi_lightning.fields import UserError
from spi_lightning.io.spec import read_spec

SPEC = """#F Staff
#E 1580000000
#D Tue Feb 04 10:00:00 2020
#O0     Theta       Delta  Table X
#O1   camdist  energy

#S 53  ascan  theta 0 1 2 0.25
#P0 0.1 32.0 1.5
#P1 500 9.0
#L Theta  Monitor  Detector A
0 1000 5
0.5 1010 6
1 1005 7

#S 54  ascan  theta -0.28 -0.27 2 0.25
#D Tue Feb 04 11:00:00 2020
#P0 0.22 32.174 1.5
#P1 500 9.0
#N 3
#L Theta  Monitor  Detector A
-0.28 1000 5
-0.275 1010 6e2
-0.27 1005 7
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "run.spec"
    path.write_text(SPEC)
    return path


def test_motors_columns_and_the_scanned_motor(spec: Path) -> None:
    scan = read_spec(spec, 54)
    assert scan.scanned == "theta"
    assert scan.motor("DELTA") == 32.174
    assert scan.motors["Table X"] == 1.5
    assert scan.motor("nothing", "energy") == 9.0
    np.testing.assert_allclose(scan.column("theta"), [-0.28, -0.275, -0.27])
    np.testing.assert_allclose(scan.column("detector a"), [5, 600, 7])
    assert scan.column("other") is None


def test_wrong_scans_are_named(spec: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scan 7; it holds the scans 53, 54"):
        read_spec(spec, 7)
    with pytest.raises(UserError, match="cannot be read"):
        read_spec(tmp_path / "none", 1)
    spec.write_text(SPEC.replace("-0.275 1010 6e2", "-0.275 1010"))
    with pytest.raises(UserError, match="cut short"):
        read_spec(spec, 54)


def test_of_scans_with_one_number_the_last_counts(spec: Path) -> None:
    spec.write_text(SPEC.replace("#S 53", "#S 54"))
    assert read_spec(spec, 54).motor("delta") == 32.174
