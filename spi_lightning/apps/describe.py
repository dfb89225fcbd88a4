"""The command ``spi describe``: what a file of patterns holds."""

from pathlib import Path
from typing import Any, Final

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.value_types import NAMES, TEXT, check_types
from spi_lightning.console import Terminal
from spi_lightning.errors import UserError, whole_number
from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.contents import gain_notes
from spi_lightning.io.scans.rocking_evidence import rocking_evidence
from spi_lightning.reports.contents import print_contents, write_frames
from spi_lightning.settings import field_types

_LONGEST_SCAN: Final = 1000  # frames
TYPES: Final = {
    **field_types(PatternKeys, "data.keys."),
    **{f"data.geometry.{name}": float | None for name in ("distance", "pixel_size", "photon_energy")},
    "data.path": NAMES,
    "data.adu_per_photon": float | None,
    "reader": TEXT,
    "per_frame": TEXT,
}


def describe(cfg: DictConfig) -> None:
    """Print what a file holds, and write the columns of every frame where they are wanted.

    Args:
        cfg: conf/describe.yaml with what was laid over it.

    Raises:
        UserError: A mistake in the settings or the file.
    """
    check_types(cfg, "describe", TYPES)
    frames, data = whole_number("frames", cfg.frames, 1), instantiate(cfg.data, _convert_="all")
    keys, gain = data["keys"], data["adu_per_photon"]
    if cfg.reader is not None:
        keys = PatternKeys(**{**vars(keys), "reader": _function(cfg.reader)})
    file = open_patterns(data["path"], keys, data["mask_convention"], gain, False, (), data["geometry"])
    file.notes += gain_notes(file, gain)
    print_contents(file, frames, gain, counted=cfg.per_frame is not None)
    if 1 < len(file) <= _LONGEST_SCAN and (evidence := rocking_evidence(file)):
        Terminal(width=110).print(f"looks like a rocking scan ({evidence}): spi phase takes it in 3D", soft_wrap=True)
    if cfg.per_frame is not None:
        write_frames(file, Path(cfg.per_frame))


def _function(name: str) -> Any:
    """The function that a full name such as mylab.raw.open_raw leads to; UserError where it leads to none."""
    try:
        return get_object(name)
    except Exception as error:  # whatever importing a module raises
        raise UserError(
            f"reader={name} leads to no function; its package must be importable, e.g. lie in PYTHONPATH"
        ) from error
