"""Machine learning for X-ray single-particle imaging and coherent diffraction imaging.

Sub-packages, each importing only from those before it: errors, fields, files, fingerprint, progress and the rest of the
ground floor < physics, distributed < io < simulate < networks, losses, optimizers, schedules, settings < phasing,
baselines < metrics < data < results < reports < tasks, tracking, callbacks < methods < reconstruction, orientation <
evaluation < api < apps. tests/test_layers.py holds them.
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spi_lightning.api.densities import compare_densities as compare_densities
    from spi_lightning.api.evaluation import evaluate as evaluate
    from spi_lightning.api.networks import Trained as Trained
    from spi_lightning.api.networks import load as load
    from spi_lightning.api.patterns import open_patterns as open_patterns
    from spi_lightning.api.patterns import simulate_patterns as simulate_patterns
    from spi_lightning.api.phasing import find_support as find_support
    from spi_lightning.api.phasing import phase as phase
    from spi_lightning.api.scans import measure_scan as measure_scan
    from spi_lightning.errors import UserError as UserError
    from spi_lightning.results import read as read

# Threads that spin while they wait make training many times slower once cores are shared with other processes.
# OpenMP reads this when torch is first imported; what the user has set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Raw files of an HDF5 data set lie beside its file and not where the program runs; HDF5 reads this when it is loaded.
if "h5py" not in sys.modules:
    os.environ["HDF5_EXTFILE_PREFIX"] = "${ORIGIN}"

__version__ = "0.1.0"

__all__ = [
    "Trained",
    "UserError",
    "compare_densities",
    "evaluate",
    "find_support",
    "load",
    "measure_scan",
    "open_patterns",
    "phase",
    "read",
    "simulate_patterns",
]


def lazily(package: str) -> Callable[[str], Any]:
    """``__getattr__`` of a package, by which what its source imports below ``if TYPE_CHECKING:`` comes at first use.

    Type checkers and people read the imports as usual. No name may be that of a module of the package.

    Args:
        package: ``__name__`` of the package, whose file is its source.
    """

    @cache
    def homes() -> dict[str, str]:
        import ast
        from importlib.util import resolve_name
        from pathlib import Path

        found: dict[str, str] = {}
        for block in ast.parse(Path(str(sys.modules[package].__file__)).read_text(encoding="utf-8")).body:
            if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
                for line in block.body:
                    if isinstance(line, ast.ImportFrom):
                        home = resolve_name("." * line.level + (line.module or ""), package)
                        found |= {each.name: home for each in line.names}
        return found

    def find(name: str) -> Any:
        if name not in homes():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(homes()[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find


__getattr__ = lazily(__name__)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
