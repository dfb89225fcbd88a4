"""Run the project's own commands as a user would, and read the numbers they leave."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def train(folder: Path, *overrides: str) -> dict[str, Any]:
    """Train into a run folder unless it is finished already; its metrics.json."""
    if not (folder / "metrics.json").is_file():
        _run("train.py", *overrides, "tracking=disabled", f"hydra.run.dir={folder}")
    return _read(folder)


def evaluate(folder: Path, *overrides: str) -> dict[str, Any]:
    """Evaluate into a run folder; its metrics.json."""
    _run("evaluate.py", *overrides, "report.gallery=4", f"hydra.run.dir={folder}")
    return _read(folder)


def simulate(path: Path, *overrides: str) -> Path:
    """Simulate a set unless it is there already; its path."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        _run("-m", "spi_lightning", "simulate", f"path={path}", "examples=0", *overrides)
    return path


def orient(folder: Path, *overrides: str) -> dict[str, Any]:
    """Orientations into a run folder; its metrics.json."""
    _run("-m", "spi_lightning", "orient", *overrides, f"hydra.run.dir={folder}")
    return _read(folder)


def _run(*command: str) -> None:
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)


def _read(folder: Path) -> dict[str, Any]:
    numbers: dict[str, Any] = json.loads((ROOT / folder / "metrics.json").read_text())
    return numbers
