"""requirements.lock: exact versions only, no addresses, and all that pyproject.toml asks for."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def test_every_line_is_one_exact_public_version() -> None:
    for pin in pins().values():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert "+" not in only.version, f"{pin}: a local version exists on no other machine"
        assert pin.url is None


def test_the_lock_satisfies_what_the_package_requires() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["dev"]]
    locked = pins()
    for requirement in map(Requirement, [*required, *project["build-system"]["requires"]]):
        (version,) = locked[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(version.version), f"{requirement} is locked at {version}"
