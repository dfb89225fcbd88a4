"""Settings of a signature without a plus, groups that nothing uses, and defaults in what a run writes down."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from spi_lightning.apps.configuration.composition import OF_KIND, PARTS
from spi_lightning.settings import parameters, takes_setting, with_defaults
from tests.apps.small_runs import CONF

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))


def composed(app: str, *words: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(app, overrides=list(words))


def test_a_setting_of_the_signature_is_taken_though_no_yaml_shows_it() -> None:
    cfg = composed("train", "task=transfer_classification", "task.views=flips")
    assert cfg.task.views == "flips" and "views" not in composed("train", "task=transfer_classification").task


def test_a_function_is_found_behind_the_module_of_its_name() -> None:
    assert composed("train", "loss.smoothing=0.1").loss.smoothing == 0.1


def test_a_setting_that_the_part_does_not_take_is_refused() -> None:
    with pytest.raises(ConfigCompositionException, match=r"data\.rotation"):
        composed("train", "data.rotation=1")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_holds_no_group_that_it_does_not_use(experiment: str) -> None:
    cfg = composed("train", f"experiment={experiment}", "++checkpoint=RUN", "folder=run")
    text = {key: OmegaConf.to_yaml(OmegaConf.create({"value": cfg._get_node(key)})) for key in map(str, cfg)}
    for part in PARTS:
        named = [key for key in text if (key != part and f"${{{part}" in text[key]) or f":{part}}}" in text[key]]
        assert (part in cfg) == bool(named), part


def test_a_part_that_another_part_names_stays() -> None:
    cfg = composed("train", "task=transfer_classification", "schedule=one_cycle")
    assert "schedule" not in cfg and "optimizer" in cfg
    assert "simulate" not in composed("train", "experiment=han_resnet10", "data=hits")
    assert "simulate" in composed("simulate")


@pytest.mark.parametrize(
    ("kind", "data"),
    [(kind, data) for kind in OF_KIND for data in ("", "simulated_")]
    + [("volumes", "one_scan"), ("volumes", "single_volume")],
)
def test_an_evaluation_holds_no_settings_of_another_kind_of_data(kind: str, data: str) -> None:
    cfg = composed("evaluate", f"data={data if '_' in data[:-1] else data + kind}", "folder=run")
    for other, names in OF_KIND.items():
        assert {name for name in names if name in cfg} == (set(names) if other == kind else set())
    assert {"cache", "report", "settings", "bootstrap"} <= {*cfg}


def test_an_evaluation_of_unknown_data_keeps_all_settings() -> None:
    cfg = composed("evaluate", "data._target_=no.such.thing", "folder=run")
    assert all(name in cfg for names in OF_KIND.values() for name in names)


def test_what_a_run_writes_down_has_the_defaults_of_its_parts() -> None:
    part = {"_target_": "spi_lightning.baselines.AngularVectors", "rings": 12}
    whole = with_defaults({"a": [part], "b": {"_target_": "torch.optim.Adam"}})
    assert whole["a"][0] | {"orders": 3, "rings": 12} == whole["a"][0] and whole["b"] == {
        "_target_": "torch.optim.Adam"
    }
    assert list(whole["a"][0])[:2] == ["_target_", "rings"]


def test_a_class_takes_what_its_base_takes() -> None:
    assert takes_setting("spi_lightning.methods.TripleIntersection", "threshold")
    assert not takes_setting("spi_lightning.methods.TripleIntersection", "treshold")
    assert parameters("spi_lightning.no_such.Thing") is None
