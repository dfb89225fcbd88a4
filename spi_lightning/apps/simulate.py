"""Simulate a set: python -m spi_lightning.apps.simulate patterns=1000 path=set.cxi [simulate=macromolecule]."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.resolved import resolved
from spi_lightning.apps.configuration.value_types import check_types
from spi_lightning.apps.process.entry import run_app
from spi_lightning.console import Terminal
from spi_lightning.data import make_set
from spi_lightning.errors import whole_number
from spi_lightning.locations import CONF
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
    simulator, began = instantiate(cfg.simulate, _convert_="all"), time.perf_counter()
    settings = (workers, cfg.overwrite, with_defaults(resolved(cfg.simulate)), cfg.compression, cfg.device)
    make_set(simulator, patterns, seed, path, *settings)
    Terminal().print(f"{patterns:,} patterns after {time.perf_counter() - began:.1f} s with workers={workers}")
    print_set(path, examples)
    return path


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="simulate")
def main(cfg: DictConfig) -> None:
    """Simulate as configured; Ctrl-C keeps the parts that are finished."""
    before = _identity(cfg)
    try:
        simulate(cfg)
    except KeyboardInterrupt as error:
        whole = f"{cfg.path} is whole, its picture of examples is not drawn"
        raise KeyboardInterrupt("the same command goes on from here" if _identity(cfg) == before else whole) from error


def _identity(cfg: DictConfig) -> tuple[int, int] | None:
    """Inode and time of the last change of the set; None where there is none."""
    with suppress(OSError):
        found = Path(str(OmegaConf.select(cfg, "path"))).stat()
        return found.st_ino, found.st_mtime_ns
    return None


if __name__ == "__main__":
    run_app(main)
