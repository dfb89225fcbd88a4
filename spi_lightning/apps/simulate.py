"""The command ``spi simulate``: write a set of simulated patterns."""

import time
from pathlib import Path
from typing import Final

from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.resolved import resolved
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.console import Terminal
from spi_lightning.data import make_set
from spi_lightning.errors import whole_number
from spi_lightning.mistakes import stopped_with
from spi_lightning.reports.simulated_set import print_set, require_free_picture
from spi_lightning.settings import with_defaults

LEAST: Final = {"patterns": 1, "seed": 0, "workers": 1, "examples": 0}


def simulate(cfg: DictConfig) -> Path:
    """Write the set that a configuration describes and a picture of examples beside it; print what is in them.

    Args:
        cfg: conf/simulate.yaml and what was laid over it.

    Returns:
        Path of the file, CXI or, of 3D particles, HDF5; the picture has the same name with .png.

    Raises:
        UserError: A mistake in the settings, or what make_set raises.
    """
    check_types(cfg, "simulate", {"path": str})
    patterns, seed, workers, examples = (whole_number(name, cfg[name], least) for name, least in LEAST.items())
    path = Path(cfg.path)
    require_free_picture(path, examples, cfg.overwrite)
    with stopped_with(lambda: "the same command goes on from here"):
        simulator, began = instantiate(cfg.simulate, _convert_="all"), time.perf_counter()
        settings = (workers, cfg.overwrite, with_defaults(resolved(cfg.simulate)), cfg.compression, cfg.device)
        make_set(simulator, patterns, seed, path, *settings)
    with stopped_with(lambda: f"{path} is whole, its picture of examples is not drawn"):
        Terminal().print(f"{patterns:,} patterns after {time.perf_counter() - began:.1f} s with workers={workers}")
        print_set(path, examples)
    return path
