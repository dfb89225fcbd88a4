"""Order of the layers: every import, also inside functions, is from a layer before its own."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "spi_lightning"
ORDER: tuple[str, ...] = (
    *(
        "printable",
        "summary",
        "quiet_start",
        "locations",
        "errors",
        "fields",
        "files",
        "write_errors",
        "codec",
        "notes",
    ),
    *("console", "fingerprint", "progress", "mistakes"),
    *("physics", "distributed", "io", "simulate", "networks", "losses", "optimizers", "schedules", "settings"),
    *("phasing", "baselines", "metrics", "data", "results", "reports", "tasks", "tracking", "callbacks"),
    *("weights", "methods", "reconstruction", "orientation", "evaluation", "labelling", "api", "apps", "__main__"),
)
"""Layers from the ground floor up; a module imports from layers that stand before its own, and from its own."""
HEIGHT = {layer: height for height, layer in enumerate(ORDER)}
LIGHTNING = ("pytorch_lightning", "lightning", "lightning_fabric", "lightning_utilities")
KEEPERS = {
    "wandb": {"tracking"},
    "hydra": {"api", "apps"},
    "hydra_plugins": {"apps"},
    "omegaconf": {"api", "apps", "data", "methods"},
    **{name: {layer for layer in HEIGHT if HEIGHT[layer] >= HEIGHT["data"]} for name in LIGHTNING},
}


def imported(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything that a source imports, by statement or by import_module("...")."""
    home = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def faults(source: str, module: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of one module, one line each; none for a module that keeps to its layer."""
    layer = module.removeprefix("spi_lightning").lstrip(".").partition(".")[0]
    if not layer:  # spi_lightning/__init__.py
        return [
            f"line {line}: the package itself imports {name}"
            for line, name in imported(source, module, is_package)
            if name.partition(".")[0] not in (*sys.stdlib_module_names, "spi_lightning")  # for type checkers alone
        ]
    if layer not in HEIGHT:
        return [f"{layer} stands nowhere in the order"]
    found = []
    for line, name in imported(source, module, is_package):
        top, other = (name + ".").split(".")[:2]
        if top == "spi_lightning" and other not in ("", "__version__", "lazily", layer):
            if other not in HEIGHT:
                found.append(f"line {line}: {other} stands nowhere in the order")
            elif HEIGHT[other] > HEIGHT[layer]:
                found.append(f"line {line}: {layer} imports upwards from {other}")
        elif layer not in KEEPERS.get(top, {layer}):
            found.append(f"line {line}: {layer} must not know {top}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    assert not faults(path.read_text(), ".".join(parts[:-1] if is_package else parts), is_package)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_every_layer_is_documented(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("physics.fourier", "from spi_lightning.data import HitDataModule", "upwards"),
        ("physics.fourier", "import spi_lightning.io.patterns.cxi", "upwards"),
        ("physics.fourier", "from ..data import hits", "upwards"),
        ("physics.fourier", "from .. import data", "upwards"),
        ("physics.fourier", "import spi_lightning.distributed", "upwards"),
        ("metrics.hits", "from spi_lightning import data", "upwards"),
        ("tasks.hit_classification", "def load():\n    from spi_lightning.tracking import run", "upwards"),
        ("reports.page", "class A:\n    def f(self):\n        import spi_lightning.methods", "upwards"),
        ("io.units", "if TYPE_CHECKING:\n    from spi_lightning.tasks import HitClassification", "upwards"),
        ("io.units", "try:\n    import spi_lightning.simulate.hits\nexcept ImportError:\n    pass", "upwards"),
        ("io.units", "importlib.import_module('spi_lightning.apps')", "upwards"),
        ("io.units", "from spi_lightning.helpers import x", "nowhere in the order"),
        ("utils.things", "import math", "nowhere in the order"),
        ("reports.page", "import wandb", "must not know wandb"),
        ("reports.page", "from wandb.sdk import x", "must not know wandb"),
        ("tasks.hit_classification", "from hydra.utils import instantiate", "must not know hydra"),
        ("reconstruction.support", "from hydra.utils import instantiate", "must not know hydra"),
        ("tasks.checkpoint", "from omegaconf import OmegaConf", "must not know omegaconf"),
        ("networks.tiny_cnn", "import pytorch_lightning as pl", "must not know pytorch_lightning"),
        ("io.units", "from lightning.pytorch import seed_everything", "must not know lightning"),
        ("metrics.prtf", "import pytorch_lightning as pl", "must not know pytorch_lightning"),
        ("fields", "from spi_lightning.physics import photons", "upwards"),
    ],
)
def test_a_violation_is_caught(module: str, source: str, fault: str) -> None:
    found = faults(source, f"spi_lightning.{module}")
    assert len(found) == 1
    assert fault in found[0]


def test_a_package_file_resolves_its_relative_imports() -> None:
    assert not faults("from .cxi import CxiWriter\nfrom ..physics import fourier", "spi_lightning.io", is_package=True)
    assert faults("from ..data import hits", "spi_lightning.io", is_package=True)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("apps.train", "import hydra\nimport pytorch_lightning\nfrom spi_lightning.callbacks import x"),
        (
            "data.hits",
            "import pytorch_lightning as pl\nfrom spi_lightning.io import open_patterns\nfrom .splits import x",
        ),
        ("tracking.runs", "import wandb"),
        (
            "io.units",
            "from spi_lightning import __version__\nfrom spi_lightning.fields import UserError\nimport h5py",
        ),
        ("tasks.hit_classification", "from spi_lightning.data import transforms"),
    ],
)
def test_an_honest_import_passes(module: str, source: str) -> None:
    assert not faults(source, f"spi_lightning.{module}")
