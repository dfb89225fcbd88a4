"""Simulate a set: python -m spi_lightning.apps.simulate patterns=1000 path=set.cxi [simulate=macromolecule]."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import hydra
import numpy as np
from hydra.utils import instantiate
from matplotlib.figure import Figure
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.console import Terminal
from spi_lightning.data.simulated.making import make_set
from spi_lightning.data.supports import structure_names
from spi_lightning.errors import UserError, whole_number
from spi_lightning.fields import DENSITY, IS_SINGLE_HIT, KIND, STRUCTURE, Kind
from spi_lightning.files import atomic_write
from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.reports import collect_gallery
from spi_lightning.reports.density_gallery import density_figure
from spi_lightning.reports.hits.gallery import Caption, gallery_figure
from spi_lightning.reports.style import OTHER, SINGLE
from spi_lightning.simulate.volumes import VolumeSimulator

from .simulate_volumes import simulate_volumes


def simulate(cfg: DictConfig) -> Path:
    """Write the set that a configuration describes and a picture of examples beside it; print what is in them.

    Args:
        cfg: conf/simulate.yaml and what was laid over it.

    Returns:
        Path of the file, CXI or, of 3D particles, HDF5; the picture has the same name with .png.

    Raises:
        UserError: A mistake in the settings, or what make_set raises.
    """
    check_types(cfg, "simulate")
    numbers = {name: whole_number(name, cfg[name], least) for name, least in LEAST.items()}
    require_free_picture(Path(cfg.path), numbers["examples"], cfg.overwrite)
    config = cast(dict[str, Any], OmegaConf.to_container(cfg.simulate, resolve=True, throw_on_missing=True))
    simulator, began = instantiate(cfg.simulate, _convert_="all"), time.perf_counter()
    if isinstance(simulator, VolumeSimulator):
        return simulate_volumes(cfg, simulator, numbers, config)
    path = make_set(
        simulator,
        numbers["patterns"],
        numbers["seed"],
        cfg.path,
        numbers["workers"],
        overwrite=cfg.overwrite,
        config=config,
        compression=cfg.compression,
        device=cfg.device,
    )
    seconds = time.perf_counter() - began
    patterns = open_patterns(path, check=False)
    picture = write_examples(patterns, path.with_suffix(".png"), numbers["examples"])
    show(patterns, seconds, numbers["workers"], picture)
    return path


_ROWS = 8
LEAST = {"patterns": 1, "seed": 0, "workers": 1, "examples": 0}


def require_free_picture(path: Path, examples: int, overwrite: bool) -> None:
    """UserError if the picture beside a set would replace it, or one that is there, unasked."""
    picture = path.with_suffix(".png")
    if examples and picture == path:
        raise UserError(f"path={path}: its picture of examples has that name; name the set otherwise, or examples=0")
    if examples and not overwrite and not os.path.lexists(path) and os.path.lexists(picture):
        raise UserError(f"{picture} exists already: give another path=, overwrite=true, or examples=0")


def write_examples(patterns: PatternFile, path: Path, count: int) -> Path | None:
    """Draw some patterns of each kind, single hits first, or with their densities; None where none were asked for."""
    if count == 0:
        return None
    examples = examples_of_structures if DENSITY in patterns.images else examples_of_hits
    picture = examples(patterns, count)
    with atomic_write(path) as part:
        picture.savefig(part, format="png", dpi=120)
    return path


def examples_of_structures(patterns: PatternFile, count: int) -> Figure:
    """The first patterns beside their densities, as many structures as possible."""
    structure, names = patterns.labels[STRUCTURE], structure_names(patterns)
    frames = np.sort(pick_examples(structure, count))
    captions = [f"#{n}  {names.get(int(i), f'structure {i}')}" for n, i in zip(frames, structure[frames], strict=True)]
    return density_figure(patterns, list(frames), captions)


def examples_of_hits(patterns: PatternFile, count: int) -> Figure:
    """Some patterns of each kind."""
    kind, usable = patterns.labels[KIND], patterns.labels[IS_SINGLE_HIT] == 1
    frames = pick_examples(kind, count)
    totals = patterns.read(frames).sum(axis=(1, 2))
    captions = [
        Caption(f"{Kind(kind[frame]).name.lower()}, {total:,.0f} photons", SINGLE if usable[frame] else OTHER)
        for frame, total in zip(frames, totals, strict=True)
    ]
    return gallery_figure(collect_gallery(patterns, {"examples": frames}), list(frames), captions)


def pick_examples(kind: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Numbers of the first frames of every kind, as evenly as the kinds allow, ordered by kind; (n,)."""
    rank = np.empty(len(kind), dtype=np.int64)  # how many of its kind come before a frame
    for value in np.unique(kind):
        members = np.flatnonzero(kind == value)
        rank[members] = np.arange(len(members))
    chosen = np.lexsort((np.arange(len(kind)), kind, rank))[:count]
    return chosen[np.lexsort((chosen, kind[chosen]))]


def show(patterns: PatternFile, seconds: float, workers: int, picture: Path | None) -> None:
    """Print the counts of every kind or structure, the speed and where the files are."""
    console = Terminal()
    console.print(table_of_kinds(patterns) if KIND in patterns.labels else table_of_structures(patterns))
    console.print(f"{len(patterns):,} patterns after {seconds:.1f} s with workers={workers}")
    console.print(f"set: {patterns.path}", soft_wrap=True)
    if picture is not None:
        console.print(f"examples: {picture}", soft_wrap=True)


def table_of_kinds(patterns: PatternFile) -> Table:
    """Patterns and usable single hits of every kind."""
    kind, usable = patterns.labels[KIND], patterns.labels[IS_SINGLE_HIT] == 1
    table = Table("kind", "patterns", "usable single hits", title=f"{len(patterns):,} patterns")
    for value in np.unique(kind):
        of_kind = kind == value
        table.add_row(Kind(value).name.lower(), f"{of_kind.sum():,}", f"{(of_kind & usable).sum():,}")
    return table


def table_of_structures(patterns: PatternFile) -> Table:
    """How many patterns the structures have; the first ones by name."""
    structure, count = np.unique(patterns.labels[STRUCTURE], return_counts=True)
    names = structure_names(patterns)
    table = Table("structure", "patterns", title=f"{len(patterns):,} patterns of {len(structure):,} structures")
    for number, patterns_of in list(zip(structure, count, strict=True))[:_ROWS]:
        table.add_row(names.get(int(number), str(number)), f"{patterns_of:,}")
    if len(structure) > _ROWS:
        table.add_row(f"{len(structure) - _ROWS:,} more", f"{count[_ROWS:].sum():,}")
    return table


@hydra.main(version_base="1.3", config_path=str(Path(__file__).parents[2] / "conf"), config_name="simulate")
def main(cfg: DictConfig) -> None:
    """Simulate as configured; Ctrl-C keeps the parts that are finished."""
    before = _identity(cfg)
    try:
        simulate(cfg)
    except KeyboardInterrupt as error:
        whole = f"{cfg.path} is whole, its picture of examples is not drawn"
        raise KeyboardInterrupt("the same command goes on from here" if _identity(cfg) == before else whole) from error


def _identity(cfg: DictConfig) -> tuple[int, int] | None:
    """What changes when the set is written; None where there is none."""
    with suppress(OSError):
        found = Path(str(OmegaConf.select(cfg, "path"))).stat()
        return found.st_ino, found.st_mtime_ns
    return None


if __name__ == "__main__":
    run_app(main)
