"""The command ``spi simulate``: write a set of simulated patterns."""

import time
from pathlib import Path
from typing import Final

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.resolved import resolved
from spi_lightning.apps.configuration.surveyed import GENERAL, TYPES, like_file, network, surveyed
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.console import Terminal
from spi_lightning.data import make_set
from spi_lightning.data.survey.recipe import PROPOSED, write_recipe
from spi_lightning.errors import whole_number
from spi_lightning.mistakes import stopped_with
from spi_lightning.reports.simulated.likeness import write_likeness_page
from spi_lightning.reports.simulated.set_pictures import print_set, require_free_picture
from spi_lightning.settings import entries_of, with_defaults

LEAST: Final = {"patterns": 1, "seed": 0, "workers": 1, "examples": 0}
_PATTERNS: Final = 200  # of a set like a file
_COMPARED: Final = 1 << 20  # block of a simulation that is compared with a file, not one of the set


def simulate(cfg: DictConfig) -> Path:
    """Write the set that a configuration describes and a picture of examples beside it; print what is in them.

    Args:
        cfg: conf/simulate.yaml and what was laid over it.

    Returns:
        Path of the file, CXI or, of 3D particles, HDF5; the picture has the same name with .png. With ``like`` a file,
        the recipe and the page of the comparison have that name too, with .yaml and .html.

    Raises:
        UserError: A mistake in the settings, or what make_set raises.
    """
    if cfg.data.path is not None:
        _resolve_names(cfg)
    check_types(cfg, "simulate", {**TYPES, "path": str})
    patterns, seed, workers, examples = (whole_number(name, cfg[name], least) for name, least in LEAST.items())
    path = Path(cfg.path)
    require_free_picture(path, examples, cfg.overwrite)
    if cfg.data.path is not None:
        _follow(cfg, path)
    with stopped_with(lambda: "the same command goes on from here"):
        simulator, began = instantiate(cfg.simulate, _convert_="all"), time.perf_counter()
        settings = (workers, cfg.overwrite, with_defaults(resolved(cfg.simulate)), cfg.compression, cfg.device)
        make_set(simulator, patterns, seed, path, *settings)
    with stopped_with(lambda: f"{path} is whole, its picture of examples is not drawn"):
        Terminal().print(f"{patterns:,} patterns after {time.perf_counter() - began:.1f} s with workers={workers}")
        print_set(path, examples)
    return path


def _resolve_names(cfg: DictConfig) -> None:
    """Number of patterns and file of a set like a file, where they are not named."""
    if OmegaConf.is_missing(cfg, "patterns"):
        cfg.patterns = _PATTERNS
    if OmegaConf.is_missing(cfg, "path"):
        cfg.path = f"like_{Path(entries_of(cfg.data.path)[0]).stem}.cxi"


def _follow(cfg: DictConfig, path: Path) -> None:
    """Write recipe and page of the comparison with a file, and take the recipe for the simulation."""
    _, found = surveyed(cfg, network(cfg, GENERAL, GENERAL), path.with_name(f"{path.stem}_{PROPOSED}"))
    recipe = write_recipe(found, path.with_suffix(".yaml"), cfg.bodies and entries_of(cfg.bodies))
    drawn = instantiate(like_file(recipe, "canonical"), _convert_="all")(_COMPARED, cfg.seed)
    words = write_likeness_page(path.with_suffix(".html"), found, drawn, recipe.read_text(encoding="utf-8"))
    cfg.simulate = like_file(recipe, "detector")
    for line in (words, f"recipe: {recipe}", f"page: {path.with_suffix('.html')}"):
        Terminal().print(line, soft_wrap=True)
