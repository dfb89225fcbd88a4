"""Survey of the file that a configuration names, and settings of a simulation like it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hydra import compose
from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.data.survey.recipe import propose_mask
from spi_lightning.data.survey.survey import Survey, survey
from spi_lightning.errors import UserError
from spi_lightning.evaluation.console_table import print_note
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.methods import CheckpointMethod
from spi_lightning.settings import field_types

from .plain_words import choice_of_file
from .value_types import NAMES

GENERAL: Final = "general"
"""Weights of the package that find the scale of a file."""
TYPES: Final = {
    **field_types(PatternKeys, "data.keys."),
    **{f"data.geometry.{name}": float | None for name in ("distance", "pixel_size", "photon_energy")},
    "data.path": NAMES | None,
    "data.adu_per_photon": float | None,
    "preprocess.speckle": float | None,
    "preprocess.beam_centre": tuple[float, float] | None,
    "bodies": NAMES | None,
}


def network(cfg: DictConfig, name: str, checkpoint: str | Path, speckle: float | None = None) -> CheckpointMethod:
    """Network of any detector that sees the file of a configuration; UserError for one of another kind.

    Args:
        cfg: Settings with ``preprocess``, ``hits`` and ``device``.
        name: Name of the method.
        checkpoint: Run, checkpoint or name of weights.
        speckle: Width of a speckle, pixel; None: that of the configuration, else found.
    """
    method = CheckpointMethod(
        name,
        Path(checkpoint),
        instantiate,
        device=cfg.device,
        speckle=cfg.preprocess.speckle if speckle is None else speckle,
        beam_centre=cfg.preprocess.beam_centre,
        hit_threshold=cfg.hits.threshold,
    )
    if not isinstance(method.task.preprocess, ScaleFree):
        raise UserError(f"checkpoint={checkpoint}: a network of any detector is needed (preprocess=scale_free)")
    return method


def surveyed(cfg: DictConfig, method: CheckpointMethod, proposed: Path) -> tuple[PatternFile, Survey]:
    """Open the file of a configuration and survey it at the scale that a network finds; its notes are printed.

    Args:
        cfg: Settings with ``data`` and ``hits``.
        method: Network of any detector.
        proposed: File for a mask without pixels that look bad; not written where there are none.

    Raises:
        UserError: As survey.
    """
    data = instantiate(cfg.data, _convert_="all")
    patterns = open_patterns(
        data["path"], data["keys"], data["mask_convention"], data["adu_per_photon"], geometry=data["geometry"]
    )
    notes = method.fit_to(patterns)
    preprocess = method.task.preprocess
    assert isinstance(preprocess, ScaleFree)
    found = survey(patterns, preprocess.scale, notes, cfg.hits.threshold)
    for note in (*patterns.notes, *found.notes, *propose_mask(found, proposed)):
        print_note(note)
    return patterns, found


def like_file(recipe: Path, frame: str) -> DictConfig:
    """Settings of the simulator of a recipe in a frame, ``canonical`` or ``detector``."""
    words = [choice_of_file(f"simulate={recipe}"), f"simulate.frame={frame}"]
    settings: DictConfig = compose("simulate", overrides=words).simulate
    return settings
