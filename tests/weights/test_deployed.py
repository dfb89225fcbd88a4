import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.physics.frames.frame_scale import FrameScale
from spi_lightning.weights.deployed import export, graph_of

EXAMPLE = Path(__file__).parents[2] / "docs/examples/onnx_hits.py"
PARTS = {"optimizer": {"_target_": "torch.optim.Adam", "_partial_": True}}
HITS = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": {
        "_target_": "spi_lightning.networks.ResNet10",
        "depths": [1, 2],
        "widths": [4, 8],
        "in_channels": 2,
        "contrast": True,
    },
    "preprocess": {
        "_target_": "spi_lightning.data.transforms.Preprocess",
        "bin": 2,
        "crop": 32,
        "scale": "log",
        "mask_channel": True,
    },
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    **PARTS,
}
SUPPORTS = {
    "_target_": "spi_lightning.tasks.SupportPrediction",
    "network": {"_target_": "spi_lightning.networks.SupportEncoderDecoder", "size": 32, "widths": [4, 8], "latent": 8},
    "preprocess": {"_target_": "spi_lightning.data.PatternInput", "kinds": ["intensity"], "scale": "none"},
    "loss": {"_target_": "spi_lightning.losses.squared_error", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.SupportMetrics"},
    "threshold": 0.3,
    "logits": False,
    **PARTS,
}
HEALING = {
    "_target_": "spi_lightning.tasks.Healing",
    "network": {"_target_": "spi_lightning.networks.HealingUNet", "widths": [4, 8]},
    "preprocess": {"_target_": "spi_lightning.data.PatternInput", "kinds": ["intensity"], "mask_channel": True},
    "loss": {"_target_": "spi_lightning.losses.squared_error", "_partial_": True},
    **PARTS,
}


def patterns(size: int, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    photons = torch.poisson(torch.rand(count, size, size, generator=generator) * 9, generator=generator)
    return photons, torch.rand(count, size, size, generator=generator) > 0.1


def made(task: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    return instantiate(task).eval()


@pytest.mark.parametrize("ending", [".pt2", ".onnx"])
@pytest.mark.parametrize(
    ("task", "size"), [(HITS, 40), (SUPPORTS, 32), (HEALING, 32)], ids=["hits", "supports", "heal"]
)
def test_a_graph_answers_as_the_task_does_for_any_number_of_patterns(
    task: dict[str, Any], size: int, ending: str, tmp_path: Path
) -> None:
    trained, path = made(task), tmp_path / f"network{ending}"
    if hasattr(trained, "temperature"):
        trained.temperature.fill_(1.7)
    graph = graph_of(trained, 0.4)
    export(graph, (size, size), path)
    for count in (1, 5):
        values = patterns(size, count)
        with torch.no_grad():
            expected = graph(*values)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for found, wanted in zip(answers(path, graph.inputs, values), expected, strict=True):
            np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)


def answers(path: Path, names: tuple[str, ...], values: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    if path.suffix == ".pt2":
        found = torch.export.load(path).module()(*values)
        return [each.detach().numpy() for each in (found if isinstance(found, tuple) else (found,))]
    onnxruntime = pytest.importorskip("onnxruntime")
    given = {name: value.numpy() for name, value in zip(names, values, strict=True)}
    return onnxruntime.InferenceSession(path).run(None, given)


def test_a_network_of_any_detector_takes_its_frames(tmp_path: Path) -> None:
    task = copy.deepcopy(HITS)
    task["network"]["contrast"] = True
    task["preprocess"] = {"_target_": "spi_lightning.data.scale.scale_free.ScaleFree"}
    trained = made(task)
    trained.preprocess.scale = FrameScale((50.3, 60.9), 7.1)
    graph = graph_of(trained)
    generator = torch.Generator().manual_seed(1)
    values = (
        torch.poisson(torch.rand(3, 96, 120, generator=generator)),
        torch.rand(3, 96, 120, generator=generator) > 0.1,
    )
    with torch.no_grad():
        expected = graph(*values)[0]
    for ending in (".pt2", ".onnx"):
        export(graph, (96, 120), tmp_path / f"network{ending}")
        found = answers(tmp_path / f"network{ending}", graph.inputs, values)[0]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_the_example_of_the_docs_prints_the_probabilities(tmp_path: Path) -> None:
    graph = graph_of(made(HITS))
    export(graph, (32, 32), tmp_path / "network.onnx")
    photons, mask = patterns(32)
    np.save(tmp_path / "frames.npy", photons.numpy().astype(np.uint16))
    np.save(tmp_path / "mask.npy", mask[0].numpy())
    words = [sys.executable, EXAMPLE, *(tmp_path / name for name in ("network.onnx", "frames.npy", "mask.npy"))]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    with torch.no_grad():
        probability, single = graph(photons, mask[:1].expand(5, -1, -1))
    assert [line.split()[2] for line in lines] == ["single" if one else "other" for one in single]
    np.testing.assert_allclose([float(line.split()[1]) for line in lines], probability.numpy(), atol=1e-5)


def test_what_cannot_be_exported_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.pt2 or \.onnx"):
        export(graph_of(made(HITS)), (32, 32), tmp_path / "network.pb")
    with pytest.raises(UserError, match="size="):
        export(graph_of(made(HITS)), (16, 16), tmp_path / "network.pt2")
    with pytest.raises(UserError, match="Linear is not exported"):
        graph_of(torch.nn.Linear(2, 2))
    assert not list(tmp_path.iterdir())
