"""Every field that travels has one name, and code spells it by its constant."""

import ast
from pathlib import Path

from spi_lightning import fields
from spi_lightning.fields import COLUMNS, FIELDS, FRAME_PHOTONS, PHOTONS

PACKAGE = Path(fields.__file__).parent
OWN_WORDS = {
    "apps": {"seed"},  # settings
    "io/dragonfly": {"mask"},  # columns of a detector file of Dragonfly
    "io/volumes/cxi_image.py": {"mask", "support"},  # groups of the CXI format
    "api/patterns.py": {"mask"},  # arguments of open_patterns
    "labelling/server.py": {"frame"},  # a request of the page
    "callbacks/progress.py": {"frame"},  # axes in words, in an archive
    "evaluation/hits/training_frames.py": {"seed"},  # settings of a checkpoint
    "reconstruction/assessment.py": {"phase"},  # kind of curve
    "reports/orientation/page.py": {"symmetry"},  # metrics.json
}
"""Names of settings and of other formats, which are not fields although they read alike."""


def literals(source: str) -> set[str]:
    """Names of fields that stand as literals in square brackets."""
    named = {**FIELDS, **COLUMNS}
    slices = (node.slice for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Subscript))
    return {str(each.value) for each in slices if isinstance(each, ast.Constant) and each.value in named}


def test_no_subscript_spells_a_field() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        own = set().union(*(words for place, words in OWN_WORDS.items() if name.startswith(place)))
        found |= {f"{name}: {word}" for word in literals(path.read_text()) - own}
    assert not found, "write the constant of fields.py"


def test_a_literal_is_caught() -> None:
    assert literals('batch["photons"] + columns["is_hit"] + batch[MASK] + other["angle"]') == {"photons", "is_hit"}


def test_every_constant_has_its_field() -> None:
    constants = {value for name, value in vars(fields).items() if name.isupper() and isinstance(value, str)}
    assert constants == set(FIELDS) | set(COLUMNS)
    assert set(FIELDS) & set(COLUMNS) == {PHOTONS} == {FRAME_PHOTONS}
    assert all(name == field.name for table in (FIELDS, COLUMNS) for name, field in table.items())
