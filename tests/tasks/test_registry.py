"""What a checkpoint may name, and every way around it that was thought of."""

import collections
import copy
import sys
import types
from collections import OrderedDict, UserDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.tasks import load_task, read_checkpoint
from spi_lightning.tasks.frozen.backbone import FrozenCheckpoint
from spi_lightning.tasks.registry import RUN_PARTS, TASK_PARTS, registered, trust
from tests.apps.small_runs import CONF
from tests.tasks.test_checkpoint import TASK, write

COMMAND = {"_target_": "os.system", "command": "touch harm"}
LOOP: list[Any] = []
LOOP.append(LOOP)
ATTACKS: dict[str, Any] = {
    "plain": COMMAND,
    "tuple": (COMMAND,),
    "tuple of lists": ([({"a": [COMMAND]},)],),
    "ordered": OrderedDict(COMMAND),
    "counter": collections.Counter({"_target_": "os.system"}),
    "class of mapping": UserDict(COMMAND),
    "deep list": [[[[[COMMAND]]]]],
    "set": {"os.system"},
    "class of word": {"_target_": type("Word", (str,), {})("os.system")},
    "name is a list": {"_target_": ["os.system"]},
    "loop": LOOP,
    "bytes": b"x",
    "tensor": torch.zeros(1),
    "create": "${oc.create:{_target_: os.system, command: touch harm}}",
    "escaped": "\\${oc.create:{_target_: os.system}}",
    "environment": "${oc.env:HOME}",
    "decode": "${oc.decode:x}",
    "interpolated key": {"${oc.env:HOME}": 1},
    "interpolated name": {"_target_": "${oc.env:X}"},
    "find_module": {"_target_": "spi_lightning.tasks.checkpoint.find_module", "name": "this"},
    "importlib": {"_target_": "importlib.import_module", "name": "this"},
    "attention": {"_target_": "torch.nn.attention._fa4.register_flash_attention_fa4", "module_path": "this"},
    "get_method": {"_target_": "hydra.utils.get_method", "path": "os.system"},
    "get_class": {"_target_": "hydra.utils.get_class", "path": "os.system"},
    "nested instantiate": {"_target_": "hydra.utils.instantiate", "config": {}},
    "lambda": {"_target_": "torch.optim.lr_scheduler.LambdaLR", "_partial_": True},
    "own attribute": {"_target_": "spi_lightning.tasks.HitClassification.load_from_checkpoint"},
    "module of a part": {"_target_": "spi_lightning.networks.resnet10.torch.load", "f": "x"},
    "space": {"_target_": " torch.optim.Adam"},
    "set writer": {"_target_": "spi_lightning.data.make_set", "path": "x"},
    "archive": {"_target_": "spi_lightning.io.structures.archive.Archive"},
    "filename": {"filename": "../../x"},
    "absolute filename": {"filename": "/tmp/x"},
}


@pytest.mark.parametrize("name", sorted(ATTACKS))
@pytest.mark.parametrize("parts", [TASK_PARTS, RUN_PARTS], ids=["task", "run"])
def test_an_attack_is_refused_before_anything_is_imported(name: str, parts: frozenset[str]) -> None:
    before = set(sys.modules)
    with pytest.raises(UserError, match="run: refused, its configuration"):
        registered({"network": ATTACKS[name]}, "run", parts)
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", ["tuple", "ordered", "loop", "find_module", "create", "environment", "set"])
@pytest.mark.parametrize("position", ["network", "loss", "views"])
def test_no_door_builds_what_a_file_hides(
    name: str, position: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.ckpt", config={"task": TASK | {position: ATTACKS[name]}})
    for read in (read_checkpoint, lambda file: load_task(file, instantiate), FrozenCheckpoint):
        with pytest.raises(UserError, match=r"a\.ckpt: refused"):
            read(path)  # type: ignore[operator]
    assert not (tmp_path / "harm").exists()


def test_what_only_tells_of_the_run_is_read_and_not_built(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ckpt", config={"task": TASK, "callbacks": {"own": {"_target_": "my_package.Callback"}}})
    task, config = load_task(path, instantiate)
    assert config["callbacks"]["own"]["_target_"] == "my_package.Callback" and task is not None


def test_sound_containers_of_other_kinds_become_plain(tmp_path: Path) -> None:
    network = OrderedDict(TASK["network"] | {"depths": (1, 2), "widths": torch.Size([4, 8])})
    path = write(tmp_path / "a.ckpt", config=OrderedDict(task=OrderedDict(TASK | {"network": network})))
    task, config = load_task(path, instantiate)
    assert config["task"]["network"]["widths"] == [4, 8] and type(config["task"]["network"]) is dict
    assert len(task.state_dict()) == len(read_checkpoint(path)["state_dict"])


@pytest.mark.parametrize("parts", [TASK_PARTS, RUN_PARTS], ids=["task", "run"])
def test_every_name_in_the_registry_leads_to_something(parts: frozenset[str]) -> None:
    for name in parts:
        assert callable(get_object(name)), name


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
def test_the_run_of_every_experiment_may_be_gone_on_with(experiment: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"experiment={experiment}", "folder=runs/x", "++data.path=x", "++checkpoint=x"])
    whole = OmegaConf.to_container(cfg, resolve=True)
    assert registered(copy.deepcopy(whole), experiment, RUN_PARTS) == whole


@pytest.mark.parametrize(
    "group", ["task", "network", "preprocess", "loss", "metric", "optimizer", "schedule", "simulate"]
)
def test_every_choice_of_a_group_is_in_the_registry(group: str) -> None:
    for path in sorted((CONF / group).glob("*.yaml")):
        own = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(own, dict)
        names = [own["_target_"]] if "_target_" in own else []
        assert set(names) <= RUN_PARTS, path


def test_a_package_of_ones_own_is_taken_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    foreign = types.ModuleType("my_package")
    foreign.Loss = lambda output, target: output  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_package", foreign)
    path = write(
        tmp_path / "a.ckpt", config={"task": TASK | {"loss": {"_target_": "my_package.Loss", "_partial_": True}}}
    )
    try:
        for names in ([], ["my_pack"], ["other"]):
            trust(names)
            with pytest.raises(UserError, match=r"calls my_package\.Loss.*add trust=my_package$"):
                load_task(path, instantiate)
        for names in (["my_package"], "my_package", "my_package.Loss"):
            trust(names)
            assert load_task(path, instantiate)[0] is not None
        with pytest.raises(UserError, match="trust=os; x is not the name of a package"):
            trust("os; x")
        with pytest.raises(UserError, match=r"trust=os\.path is a part of Python itself"):
            trust("os.path")
    finally:
        trust([])


def test_settings_that_build_nothing_are_one_line(tmp_path: Path) -> None:
    for number, change in enumerate(({"widths": [-4, 8]}, {"nothing": 1}, {"depths": "abc"})):
        path = write(tmp_path / f"{number}.ckpt", config={"task": TASK | {"network": TASK["network"] | change}})
        with pytest.raises(UserError, match=r"\d\.ckpt: its (task|weights)"):
            load_task(path, instantiate)
    for state in ([], {"a": "b"}, {"temperature": "x"}):
        with pytest.raises(UserError, match=r"s\.ckpt: "):
            load_task(write(tmp_path / "s.ckpt", state_dict=state), instantiate)


def test_a_run_with_the_mask_of_a_real_detector_resumes() -> None:
    detector = {"fixed": {"_target_": "spi_lightning.io.load_mask", "path": "mask.h5"}}  # docs: My mask
    assert registered({"simulate": {"bad_pixels": detector}}, "last.ckpt", RUN_PARTS) == {
        "simulate": {"bad_pixels": detector}
    }
