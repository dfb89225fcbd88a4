"""requirements.lock and pyproject.toml: exact versions only, all that is asked for, all that is imported."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
NAMED_ELSEWHERE = {
    "psutil": "Lightning's DeviceStatsMonitor imports it",
    "tensorboard": "Lightning's TensorBoardLogger imports it",
}


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def imported(folder: Path) -> dict[str, Path]:
    """Top names of other packages that the modules of a folder import, also inside functions, and where."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            found |= {name.partition(".")[0]: path for name in names}
    return {name: path for name, path in found.items() if name not in {*sys.stdlib_module_names, "spi_lightning"}}


def test_every_line_is_one_exact_public_version() -> None:
    for pin in pins().values():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert "+" not in only.version, f"{pin}: a local version exists on no other machine"
        assert pin.url is None


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_the_lock_satisfies_what_the_package_requires(extra: str) -> None:
    required = EXTRAS[extra] if extra else [*CORE, *PROJECT["build-system"]["requires"]]
    locked = pins()
    for requirement in map(Requirement, required):
        (version,) = locked[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(version.version), f"{requirement} is locked at {version}"


def test_what_the_package_imports_is_what_it_declares() -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in CORE}
    providers, used = packages_distributions(), set[str]()
    for name, path in imported(ROOT / "spi_lightning").items():
        of = {canonicalize_name(each) for each in providers.get(name, [name])}
        lines = [line for extra in ("sweeps", "export", "imagenet") for line in EXTRAS[extra]]
        of_extra = {canonicalize_name(Requirement(line).name) for line in lines}
        assert of & (declared | of_extra), f"{path} imports {name}, which pyproject.toml does not declare"
        used |= of
    assert declared - used == set(NAMED_ELSEWHERE), "declared and never imported"
