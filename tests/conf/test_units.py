"""Comments of conf/: a number of a physical quantity has its unit beside it."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.apps.small_runs import CONF

QUANTITIES: Final = {
    "distance": "m",
    "pixel_size": "m",
    "photon_energy": "eV",
    "diameter": "m",
    "edge_blur": "m",
    "blur": "pixel",
    "beam_jitter": "pixel",
    "hole": "pixel",
    "shift": "pixel",
    "beam_row": "pixel",
    "beam_column": "pixel",
    "lr": "learning rate",
}
FILES = sorted(path for path in CONF.rglob("*.yaml") if "experiment" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_quantities_have_their_units_beside_them(path: Path) -> None:
    for line in path.read_text().splitlines():
        found = re.match(r"\s*([a-z_]+): ", line)
        if found and found[1] in QUANTITIES:
            assert re.search(rf"#.*\b{QUANTITIES[found[1]]}", line), line
