"""Section of a page on the provenance of a run: versions, hardware and settings."""

from pathlib import Path
from typing import Any

from spi_lightning.io.reading import read_json
from spi_lightning.results.training import CONFIG, VERSIONS

from .page import Fold, Lines, Section, Table

LISTED_PACKAGES = ("spi_lightning", "torch", "pytorch-lightning", "numpy", "h5py")


def source_line(source: str, run: Path) -> str:
    """Line below the title of a page: the input file, and the folder of the run.

    Args:
        source: File or files of the patterns; empty where they came as arrays.
        run: Folder of the run.
    """
    return " · ".join(filter(None, (source, "run folder " + "/".join(run.resolve().parts[-2:]))))


def provenance_section(run: Path, about: dict[str, Any] | None = None, *tables: Table) -> Section:
    """Versions and hardware (versions.json) and settings (config.yaml) of a run; missing files are named.

    Args:
        run: Folder of the run.
        about: Further facts by name, such as the command line.
        tables: Tables that stand first.
    """
    blocks: list[Table | Fold | Lines] = [*tables]
    if about:
        blocks.append(Table(("what", "value"), _rows(about), numeric=False))
    versions, config = run / VERSIONS, run / CONFIG
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
    """Table of the main versions, and all packages, folded."""
    packages: dict[str, str] = versions.pop("packages", {})
    versions.pop("overrides", None)  # the settings hold them
    for name in LISTED_PACKAGES:
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
