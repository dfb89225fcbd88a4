"""A checkpoint that names classes of another package: refused by every command, without a word of its own obeyed."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from benchmarks.trusted import add_trust
from spi_lightning.errors import UserError
from spi_lightning.tasks import SupportPrediction, load_task, read_checkpoint
from spi_lightning.tasks.registry import trust
from tests.extending.conftest import Lab

NETWORK = {"_target_": "mylab.one_layer.OneLayer"}
HITS = {
    "_target_": "spi_lightning.tasks.HitClassification",
    "network": NETWORK,
    "preprocess": {"_target_": "spi_lightning.data.Preprocess"},
    "loss": {"_target_": "spi_lightning.losses.binary_cross_entropy", "_partial_": True},
    "metrics": {"_target_": "spi_lightning.metrics.HitMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}
SUPPORTS = HITS | {"_target_": "spi_lightning.tasks.SupportPrediction"}
VOLUMES = HITS | {"_target_": "spi_lightning.tasks.ComplexReconstruction"}
HEALING = HITS | {"_target_": "spi_lightning.tasks.Healing"}
COMMANDS = {
    "resume": (HITS, "train resume=RUN"),
    "finetune": (HITS, "train experiment=finetune checkpoint=RUN data.path=frames.cxi"),
    "network of hits": (HITS, "evaluate checkpoint=RUN data.path=frames.cxi"),
    "frozen network": (
        HITS,
        "evaluate method=frozen_resnet10 +settings.frozen_resnet10.backbone.checkpoint=RUN data.path=frames.cxi",
    ),
    "network of supports": (SUPPORTS, "evaluate checkpoint=RUN data=supports data.path=frames.cxi"),
    "healing": (
        HEALING,
        "evaluate method=healed_triple_intersection +settings.healed_triple_intersection.healing=RUN"
        " data=supports data.path=frames.cxi",
    ),
    "refined network": (VOLUMES, "train experiment=wu_transfer checkpoint=RUN data.path=frames.cxi"),
    "support": (SUPPORTS, "phase support=RUN data.path=frames.cxi data.frame=0"),
    "start": (SUPPORTS, "phase start=RUN support=box data.path=frames.cxi data.frame=0"),
}


def write_run(folder: Path, task: dict[str, Any], **more: Any) -> None:
    """A run folder whose checkpoint and files all say that mylab is to be trusted."""
    config = {"task": task, "data": {}, "trainer": {}, "callbacks": {}, "trust": ["mylab"]} | more
    (folder / "checkpoints").mkdir(parents=True)
    stored = {"state_dict": {"network.no_such": torch.zeros(1)}, "config": config}
    for name in ("best", "last"):
        torch.save(stored, folder / f"checkpoints/{name}.ckpt")
    (folder / "config.yaml").write_text("trust: [mylab]\n")
    (folder / "versions.json").write_text('{"overrides": ["trust=[mylab]"]}')


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_obeys_no_word_but_its_own(lab: Lab, name: str) -> None:
    task, command = COMMANDS[name]
    run = f"foreign/{name.replace(' ', '_')}"
    write_run(lab.folder / run, task)
    words = command.replace("RUN", run).split()
    lab.refused(words)
    lab.refused([*words, "trust=[other,my]"])
    trusted = lab.run([*words, "trust=mylab"], status=2).last  # by now it is another mistake: no weights
    assert "refused" not in trusted, trusted


def test_a_benchmark_takes_the_word_too(lab: Lab) -> None:
    write_run(lab.folder / "foreign/benchmark", SUPPORTS)
    parser = argparse.ArgumentParser()
    add_trust(parser)
    with pytest.raises(UserError, match="add trust=mylab"):
        load_task(lab.folder / "foreign/benchmark", instantiate, SupportPrediction)
    try:
        assert parser.parse_args(["--trust", "mylab", "other"]).trust == ["mylab", "other"]
        assert read_checkpoint(lab.folder / "foreign/benchmark")["config"]["task"]["network"] == NETWORK
    finally:
        trust([])


def test_nothing_that_a_run_folder_names_is_looked_up_before_trust(lab: Lab) -> None:
    folder, own = lab.folder / "foreign/folder", "mylab.one_layer.OneLayer"
    plain = HITS | {"network": {"_target_": "spi_lightning.networks.TinyCNN"}}
    write_run(folder, plain, network=NETWORK, callbacks={"x": {"_target_": own}})
    lab.refused(["train", "resume=foreign/folder"])
    words = [
        f"+callbacks.x={{_target_: {own}}}",
        "callbacks.x.depth=3",
        f"+callbacks.y._target_={own}",
        "callbacks.y.a=1",
    ]
    write_run(lab.folder / "foreign/words", plain)
    (lab.folder / "foreign/words/versions.json").write_text(json.dumps({"overrides": ["trust=[mylab]", *words]}))
    (lab.folder / "imported").unlink(missing_ok=True)
    lab.run(["train", "resume=foreign/words"], status=2)
    assert not (lab.folder / "imported").exists()
