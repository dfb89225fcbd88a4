"""Where a run came from: its versions and settings, as the page shows them."""

from pathlib import Path
from typing import Any

from spi_lightning.io.json_file import read_json

from .page import Fold, Lines, Section, Table

SHOWN_PACKAGES = ("spi_lightning", "torch", "pytorch-lightning", "numpy", "h5py")


def provenance_section(run: Path, about: dict[str, Any] | None = None, *tables: Table) -> Section:
    """Versions and hardware (versions.json), settings (config.yaml) and what else is known of a run.

    A file that is missing is said to be missing.
    """
    blocks: list[Table | Fold | Lines] = [*tables]
    if about:
        blocks.append(Table(("what", "value"), _rows(about), numeric=False))
    versions, config = run / "versions.json", run / "config.yaml"
    if versions.is_file():
        blocks += _versions(read_json(versions))
    if config.is_file():
        blocks.append(
            Fold("Settings (config.yaml, resolved)", config.read_text(encoding="utf-8", errors="backslashreplace"))
        )
    missing = [path.name for path in (versions, config) if not path.is_file()]
    if missing:
        blocks.append(Lines([f"Not in the run folder: {', '.join(missing)}."]))
    return Section("Provenance", blocks)


def _versions(versions: dict[str, Any]) -> list[Table | Fold]:
    """A table of what mostly matters, and all packages on a click."""
    packages: dict[str, str] = versions.pop("packages", {})
    versions.pop("overrides", None)  # the command says the same
    for name in SHOWN_PACKAGES:
        if name in packages:
            versions[name] = packages[name]
    listed = "\n".join(f"{name} {version}" for name, version in packages.items())
    return [Table(("version", ""), _rows(versions), numeric=False), Fold(f"All {len(packages)} packages", listed)]


def _rows(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as rows of dotted name and text."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{name}.")
        elif value not in (None, [], ""):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
