"""Survey of the file that a configuration names, and settings of a simulation like it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hydra import compose
from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.data.survey.recipe import propose_mask
from spi_lightning.data.survey.survey import Survey, survey
from spi_lightning.evaluation.console_table import print_note
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.settings import field_types

from .plain_words import choice_of_file
from .value_types import NAMES

TYPES: Final = {
    **field_types(PatternKeys, "data.keys."),
    **{f"data.geometry.{name}": float | None for name in ("distance", "pixel_size", "photon_energy")},
    "data.path": NAMES | None,
    "data.adu_per_photon": float | None,
    "preprocess.speckle": float | None,
    "preprocess.beam_centre": tuple[float, float] | None,
    "bodies": NAMES | None,
}


def surveyed(cfg: DictConfig, proposed: Path) -> tuple[PatternFile, Survey]:
    """Open the file of a configuration and survey it; its notes are printed.

    Args:
        cfg: Settings with ``data``, ``preprocess`` and ``hits``.
        proposed: File for a mask without pixels that look bad; not written where there are none.

    Raises:
        UserError: As survey.
    """
    data = instantiate(cfg.data, _convert_="all")
    patterns = open_patterns(
        data["path"], data["keys"], data["mask_convention"], data["adu_per_photon"], geometry=data["geometry"]
    )
    place = cfg.preprocess.speckle, cfg.preprocess.beam_centre
    found = survey(patterns, *place, hit_threshold=cfg.hits.threshold)
    for note in (*patterns.notes, *found.notes, *propose_mask(found, proposed)):
        print_note(note)
    return patterns, found


def like_file(recipe: Path, frame: str) -> DictConfig:
    """Settings of the simulator of a recipe in a frame, ``canonical`` or ``detector``."""
    words = [choice_of_file(f"simulate={recipe}"), f"simulate.frame={frame}"]
    settings: DictConfig = compose("simulate", overrides=words).simulate
    return settings
