"""Every pair of task and part in conf/: those that fit are experiments, the others one line."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from spi_lightning.apps.configuration.fitting_parts import choice_of
from spi_lightning.errors import UserError
from spi_lightning.tasks.fitting import FITS, require_fit
from tests.apps.small_runs import CONF

OF_TASK = {
    "hit_classification": "shi_tiny_cnn",
    "transfer_classification": "han_vgg16_head",
    "support_prediction": "bellisario_support",
    "healing": "bellisario_healing",
    "complex_reconstruction": "wu_supervised",
    "refinement": "wu_untrained",
}
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def choices(group: str) -> list[Path]:
    return sorted((CONF / group).glob("*.yaml"))


def composed(*words: str) -> None:
    require_fit(compose("train", [*words, "folder=runs/x", "++data.path=x", "++checkpoint=x"]), choice_of)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_parts_of_every_experiment_fit(experiment: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed(f"experiment={experiment}")


@pytest.mark.parametrize("task", sorted(OF_TASK))
@pytest.mark.parametrize("group", ["loss", "metric"])
def test_every_pair_fits_or_is_one_line(task: str, group: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        target = str(compose("train", [f"experiment={OF_TASK[task]}", "++data.path=x"]).task._target_)
        fitting = FITS[target.rpartition(".")[2]].get(group)
        for path in choices(group):
            name = str(OmegaConf.load(path)._target_).rpartition(".")[2]
            words = [f"experiment={OF_TASK[task]}", f"{group}={path.stem}"]
            words += ["++task.classes=5"] if path.stem == "cross_entropy" else []
            if fitting is None or name in fitting.split():
                composed(*words)
                continue
            with pytest.raises(UserError, match=rf"^{group}={path.stem} does not fit task={task}: choose one of \w+"):
                composed(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task=healing"], "loss=binary_cross_entropy does not fit task=healing|preprocess=.* does not fit"),
        (["data=simulated_supports"], "data=simulated_supports does not fit task=hit_classification"),
        (["simulate=crystals"], "simulate=.* does not fit data=simulated_hits: choose one of "),
        (["network=unet"], r"network=unet does not fit task=hit_classification: choose one of resnet10, tiny_cnn"),
        (["optimizer=adam_sgd"], "of 2 members only the first would work, this schedule never switches"),
        (["experiment=wu_supervised", "schedule=step_decay"], "add schedule=alternate_every"),
        (["experiment=bellisario_support", "task.logits=false"], "loss=support_cross_entropy does not agree with task"),
        (["experiment=bellisario_support", "network.logits=false"], "network=support_encoder_decoder does not agree"),
        (["experiment=bellisario_density", "task.logits=true"], "network=projected_unet does not agree with task.log"),
        (["experiment=bellisario_density", "loss.logits=true"], "does not agree with task.logits=false: set task.logi"),
        (["task.classes=5"], "loss=binary_cross_entropy does not agree with task.classes=5: set loss=cross_entropy"),
        (
            ["loss=cross_entropy"],
            "does not agree with task.classes=1: set loss=binary_cross_entropy",
        ),
        (["network.classes=5"], "network=resnet10 does not agree with task.classes=1: set network.classes=1"),
        (["network=vgg16_head"], r"channels of preprocess \(1 of 2\): set preprocess=counts_and_mask"),
        (["preprocess.mask_channel=true"], r"channels of preprocess \(2 of 1\): set network.in_channels=2"),
    ],
)
def test_parts_that_do_not_fit(words: list[str], message: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"), pytest.raises(UserError, match=message):
        composed(*words)


def test_a_part_of_somebody_elses_fits_anywhere() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed("loss._target_=my_package.Loss", "network._target_=my_package.Network")
