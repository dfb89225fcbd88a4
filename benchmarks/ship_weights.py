"""Networks that the package brings: train their members, make one of them, calibrate it, write weights and card.

python -m benchmarks.ship_weights NAME ... [--runs RUN ...] [--numbers]

What a network is made of stands in cards/NAME.yaml: an experiment, its seeds, and the words of its card. Members are
trained into runs/weights/NAME_seedS and resumed there; ``--runs`` takes trained runs instead. The numbers of a card are
those of the simulated test patterns of the experiment, and those of the benchmarks that its recipe names.
"""

import argparse
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
import yaml
from hydra.utils import instantiate

from benchmarks.record import read_result
from spi_lightning.tasks import HitClassification, find_checkpoint
from spi_lightning.tracking.run_folder import git_revision
from spi_lightning.weights import ModelCard, Result, ensemble_of, read_card, ship, write_card

RECIPES: Final = Path(__file__).parent / "cards"
MEMBERS: Final = Path("runs/weights")


def main() -> None:
    """Make the named weights anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(path.stem for path in RECIPES.glob("*.yaml")))
    parser.add_argument("--numbers", action="store_true", help="write the results of benchmarks into the cards alone")
    parser.add_argument("--runs", nargs="+", type=Path, help="trained members instead of training them")
    options = parser.parse_args()
    for name in options.names:
        if options.numbers:
            renew(name)
            continue
        recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
        make(name, recipe, options.runs or [_member(name, recipe, seed) for seed in recipe["seeds"]])
        print(f"{name}: {read_card(name).path}", flush=True)


def make(name: str, recipe: Mapping[str, Any], runs: Sequence[Path]) -> ModelCard:
    """Ensemble of trained runs, calibrated on the validation patterns of the first, with its card, in the package."""
    config, weights = ensemble_of([find_checkpoint(run) for run in runs])
    weights, numbers = calibrated(config, weights)
    members = f"{len(runs)} networks" if len(runs) > 1 else "one network"
    parameters = sum(value.numel() for key, value in weights.items() if key.startswith("network."))
    kind = config["task"]["network"]["members"][0]["_target_"].rpartition(".")[2]
    commands = [_command(recipe, seed) for seed in recipe["seeds"][: len(runs)]]
    words = {key: recipe[key] for key in ("summary", "input", "data", "domain", "failures", "licence")}
    card = ModelCard(
        name=name,
        network=f"{kind}, {members}, {parameters:,} numbers",
        commands=[*commands, f"python -m benchmarks.ship_weights {name}"],
        commit=git_revision() or "unknown",
        results=[*_measured(name), *_of_test(numbers, config, recipe)],
        sha256="",
        **words,
    )
    return ship(card, weights, config)


def renew(name: str) -> None:
    """Write the numbers of benchmarks into the card of weights that are there; those of the test patterns stay."""
    card = read_card(name)
    kept = [result for result in card.results if result.command.endswith("ship_weights")]
    write_card(replace(card, results=[*_measured(name), *kept]))


def calibrated(config: Mapping[str, Any], weights: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Weights with temperature and domain fitted to the validation patterns, and numbers on the test patterns."""
    for logger in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    torch.set_num_threads(2)
    task: HitClassification = instantiate(config["task"])
    task.load_state_dict(dict(weights))
    data = instantiate(config["data"], _convert_="all")
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.validate(task, datamodule=data, verbose=False)
    numbers = trainer.test(task, datamodule=data, verbose=False)[0]
    return dict(task.state_dict()), dict(numbers)


def _member(name: str, recipe: Mapping[str, Any], seed: int) -> Path:
    """Run folder of a member, trained or resumed; one that is done says so and ends."""
    run = MEMBERS / f"{name}_seed{seed}"
    words = [f"resume={run}"] if (run / "checkpoints/last.ckpt").is_file() else [*_words(recipe, seed), f"out={run}"]
    subprocess.run([sys.executable, "-m", "spi_lightning", "train", *words], check=True)
    return run


def _words(recipe: Mapping[str, Any], seed: int) -> list[str]:
    return [f"experiment={recipe['experiment']}", f"seed={seed}", *recipe["overrides"]]


def _command(recipe: Mapping[str, Any], seed: int) -> str:
    return " ".join(["spi train", *_words(recipe, seed)])


def _measured(name: str) -> list[Result]:
    """Numbers of the network in the results of benchmarks.general_classifier."""
    found, command = read_result("general_classifier"), "python -m benchmarks.general_classifier"
    experiments = {key: each["methods"][name] for key, each in found["experiments"].items() if name in each["methods"]}
    results = []
    if experiments:
        areas = {key: each["auroc"] for key, each in experiments.items()}
        worst = min(areas, key=lambda key: areas[key])
        where = f"{len(areas)} simulated experiments that no training pattern resembles in some trait"
        interval = [round(experiments[worst][end], 4) for end in ("low", "high")]
        results += [
            Result(f"mean of {where}", "auroc", round(sum(areas.values()) / len(areas), 4), None, command),
            Result(f"worst of these, {worst}", "auroc", round(areas[worst], 4), interval, command),
        ]
    pr772 = found["real"].get(name, {}).get("pr772_dev", {})
    if pr772:
        where = "25 measured patterns of the virus PR772, 7 of doubtful label among them"
        interval = [round(pr772[end], 4) for end in ("low", "high")]
        results += [
            Result(where, "auroc", round(pr772["auroc"], 4), interval, command),
            Result(where, "accuracy", round(pr772["accuracy"], 4), None, command),
            Result("the 18 of these whose label is clear", "auroc", round(pr772["auroc_hits"], 4), None, command),
        ]
    return results


def _of_test(numbers: Mapping[str, float], config: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[Result]:
    patterns = config["data"]["patterns"]["test"]
    where = f"{patterns} simulated test patterns of {recipe['experiment']}"
    return [
        Result(where, name, round(float(numbers[f"test/{name}"]), 4), None, "python -m benchmarks.ship_weights")
        for name in ("auroc", "accuracy")
    ]


if __name__ == "__main__":
    main()
