"""Requirements at the lowest versions that pyproject.toml allows: python -m tests.lowest, for `make lowest`.

torch and what the tests themselves need stay at the versions of requirements.lock; tested are the bounds of the rest.
"""

from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_lock import CORE, pins

BESIDE: Final = ("pyparsing<3.3",)
"""matplotlib 3.8 warns of names that pyparsing 3.3 calls old, and no test lets a warning pass."""
LOCKED: Final = ("torch", "optuna", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist")


def lowest(line: str) -> str:
    """A requirement at its lower bound: ``h5py>=3.10`` gives ``h5py==3.10``."""
    requirement = Requirement(line)
    (bound,) = (each.version for each in requirement.specifier if each.operator == ">=")
    return f"{requirement.name}=={bound}"


def main() -> None:
    """Print a requirement a line."""
    locked = pins()
    bounds = [lowest(line) for line in CORE if canonicalize_name(Requirement(line).name) not in LOCKED]
    print(*bounds, *BESIDE, *(locked[name] for name in LOCKED), sep="\n")


if __name__ == "__main__":
    main()
