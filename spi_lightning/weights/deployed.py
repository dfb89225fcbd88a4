"""Networks as graphs for other programs: photons and mask in, answers out, with everything between them inside."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, INTENSITY, MASK, PHOTONS, PROBABILITY
from spi_lightning.files import atomic_write
from spi_lightning.tasks import Healing, HitClassification, SupportPrediction

FORMATS: Final = (".pt2", ".onnx")
_TRIED: Final = 2  # patterns with which the graph is traced


class HitGraph(nn.Module):
    """Hit classifier: photons (B, H, W) float32 and mask (B, H, W) bool -> probability (B,), single hit (B,) bool.

    Args:
        task: Task of a checkpoint, calibrated.
        threshold: Probability from which a pattern is a single hit.
    """

    inputs, outputs = ("photons", "mask"), ("probability", "is_single_hit")

    def __init__(self, task: HitClassification, threshold: float) -> None:
        super().__init__()
        self.task, self.threshold = task, threshold

    def forward(self, photons: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Calibrated probability of a single hit (B,), and whether it reaches the threshold."""
        batch = {PHOTONS: photons[:, None], MASK: mask[:, None], FRAME: torch.zeros_like(photons[:, 0, 0]).long()}
        probability = self.task.answers_to(self.task.preprocess(batch), batch[FRAME])[PROBABILITY]
        return probability, probability >= self.threshold


class SupportGraph(nn.Module):
    """Support network: intensity (B, H, W) and mask (B, H, W) bool -> density or score (B, H, W), support (B, H, W)."""

    inputs, outputs = ("intensity", "mask"), ("density", "support")

    def __init__(self, task: SupportPrediction) -> None:
        super().__init__()
        self.task = task

    def forward(self, intensity: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Density, at most 1, or score of a support, and the support at the threshold of the checkpoint."""
        batch = {INTENSITY: intensity[:, None], MASK: mask[:, None]}
        score = self.task.score_of(self.task.answer(batch), batch)
        return score, score > self.task.threshold


class HealingGraph(nn.Module):
    """Healing network: intensity (B, H, W) and mask (B, H, W) bool -> intensity (B, H, W) without gaps."""

    inputs, outputs = ("intensity", "mask"), ("healed",)

    def __init__(self, task: Healing) -> None:
        super().__init__()
        self.task = task

    def forward(self, intensity: Tensor, mask: Tensor) -> Tensor:
        """Healed patterns in the unit of the input."""
        batch = {INTENSITY: intensity[:, None], MASK: mask[:, None], FRAME: torch.zeros_like(mask[:, 0, 0]).long()}
        return self.task.predict_step(batch)[INTENSITY][:, 0]


Graph = HitGraph | SupportGraph | HealingGraph


def graph_of(task: nn.Module, threshold: float = 0.5) -> Graph:
    """Graph of a trained task.

    Args:
        task: Task of a checkpoint.
        threshold: Probability from which a pattern is a single hit.

    Raises:
        UserError: The task has no graph of photons and mask.
    """
    if isinstance(task, HitClassification):
        return HitGraph(task, threshold)
    if isinstance(task, SupportPrediction):
        return SupportGraph(task)
    if isinstance(task, Healing):
        return HealingGraph(task)
    raise UserError(f"a network of {type(task).__name__} is not exported; hits, supports and healing are")


def export(graph: Graph, shape: Sequence[int], path: Path) -> None:
    """Write a graph as a program of torch.export (.pt2) or as ONNX (.onnx), for batches of any size.

    Args:
        graph: Graph of a trained task.
        shape: Height and width of the patterns that the program will take, pixel.
        path: File to write; its ending chooses the format.

    Raises:
        UserError: Another ending, patterns of a shape that the network does not take, an operation that the format does
            not have, or the packages of ``[export]`` are not installed.
    """
    if path.suffix not in FORMATS:
        raise UserError(f"out={path}: give a name that ends with {' or '.join(FORMATS)}")
    program = _traced(graph.eval(), shape)
    with atomic_write(path) as temporary:
        if path.suffix == ".pt2":
            named = temporary.with_suffix(".pt2")  # torch.export.save knows its format by the ending
            torch.export.save(program, named)
            named.replace(temporary)
        else:
            temporary.write_bytes(_onnx(program, graph))


def _traced(graph: Graph, shape: Sequence[int]) -> ExportedProgram:
    example = (torch.ones(_TRIED, *shape), torch.ones(_TRIED, *shape, dtype=torch.bool))
    batch = Dim("batch", min=1)
    try:
        graph(*example)
    except UserError as error:
        raise UserError(f"size={list(shape)}: {error}") from error
    except RuntimeError as error:
        line = str(error).splitlines()[0]
        raise UserError(f"size={list(shape)}: the network takes no patterns of this shape ({line})") from error
    return torch.export.export(graph, example, dynamic_shapes={name: {0: batch} for name in graph.inputs})


def _onnx(program: ExportedProgram, graph: Graph) -> bytes:
    try:
        import onnxscript  # noqa: F401  which torch.onnx needs and does not name
    except ImportError as error:
        raise UserError("ONNX needs further packages: pip install 'spi_lightning[export]', or write .pt2") from error
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, whose operations no graph has
    try:
        made: Any = torch.onnx.export(
            program, input_names=list(graph.inputs), output_names=list(graph.outputs), dynamo=True, verbose=False
        )
    except torch.onnx.errors.OnnxExporterError as error:
        line = str(error).strip().splitlines()[0]
        raise UserError(f"ONNX has no such operation as this network needs; write .pt2 ({line})") from error
    return cast(bytes, made.model_proto.SerializeToString())
