"""The command ``spi export``: a network as ONNX or as a program of torch.export."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from spi_lightning.apps.configuration.value_types import NAMES, TEXT, check_types
from spi_lightning.console import Terminal
from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.data.transforms import Preprocess
from spi_lightning.errors import UserError
from spi_lightning.evaluation.console_table import print_note
from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.input_window import USUAL_SIZE
from spi_lightning.physics.frames.frame_scale import CELLS
from spi_lightning.results.decision import DecisionRule
from spi_lightning.settings import field_types
from spi_lightning.tasks import HitClassification, load_task
from spi_lightning.tasks.registry import trust
from spi_lightning.weights.deployed import export as write
from spi_lightning.weights.deployed import graph_of

TYPES: Final = {
    **field_types(DecisionRule, "decision."),
    "run": TEXT,
    "path": TEXT,
    "size": Sequence[int] | None,
    **field_types(PatternKeys, "data.keys."),
    "data.path": NAMES | None,
    "data.adu_per_photon": float | None,
    "preprocess.crop": int | None,
    "preprocess.bin": int | None,
    "preprocess.speckle": float | None,
    "preprocess.beam_centre": Sequence[float] | None,
}


def export(cfg: DictConfig) -> None:
    """Write the network of a run for other programs.

    Args:
        cfg: conf/export.yaml with what was laid over it.

    Raises:
        UserError: A mistake in the settings, a checkpoint that cannot be read, or a network that cannot be exported.
    """
    check_types(cfg, "export", TYPES)
    trust(cfg.trust)
    task, _ = load_task(cfg.run, instantiate, pl.LightningModule)
    size = _fitted(task, cfg) if isinstance(task, HitClassification) else (USUAL_SIZE, USUAL_SIZE)
    graph, size, path = graph_of(task, cfg.decision.threshold), cfg.size or size, Path(cfg.path)
    write(graph, [int(length) for length in size], path)
    takes, gives = ", ".join(graph.inputs), ", ".join(graph.outputs)
    Terminal().print(f"{path}: {takes} (any number, {size[0]}, {size[1]}) -> {gives}", soft_wrap=True)


def _fitted(task: HitClassification, cfg: DictConfig) -> tuple[int, int]:
    """Set the preprocessing of a task as wished, to a file if there is one; height and width of its patterns."""
    preprocess = task.preprocess
    preprocess.adjust(cfg.preprocess)
    if isinstance(preprocess, Preprocess):
        if preprocess.beam_centre is not None and cfg.size is None:
            raise UserError("preprocess.beam_centre= is a point of whole frames: state their size=[HEIGHT,WIDTH] too")
        edge = preprocess.crop or USUAL_SIZE * preprocess.bin
        return edge, edge
    if not isinstance(preprocess, ScaleFree) or cfg.data.path is None:
        return CELLS, CELLS
    data = instantiate(cfg.data, _convert_="all")
    patterns = open_patterns(
        data["path"], data["keys"], data["mask_convention"], data["adu_per_photon"], True, (), data["geometry"]
    )
    for note in task.fit_to(patterns):
        print_note(note)
    return patterns.shape[1], patterns.shape[2]
