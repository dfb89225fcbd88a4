"""Packages whose names are imported at first use: each name is found, and none is that of a module beside it."""

from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "spi_lightning"
LAZY = [path for path in sorted(PACKAGE.rglob("__init__.py")) if "= lazily(" in path.read_text()]


@pytest.mark.parametrize("path", LAZY, ids=lambda path: path.parent.name)
def test_every_name_is_found(path: Path) -> None:
    package = import_module(".".join(path.parent.relative_to(PACKAGE.parent).parts))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018
    beside = {each.stem for each in path.parent.iterdir()}
    assert not set(package.__all__) & beside
