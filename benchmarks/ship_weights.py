"""Networks that the package brings: train their members, make one of them, calibrate it, write weights and card.

python -m benchmarks.ship_weights NAME ... [--runs RUN ...] [--numbers]

What a network is made of stands in cards/NAME.yaml: the stages of its training, its seeds, and the words of its card.
Members are trained into runs/weights/NAME_seedS and resumed there; ``--runs`` takes trained runs instead. The numbers
of a card are those of the simulated test patterns of the experiment, and those of the benchmarks that measure it.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from hydra.utils import instantiate

from benchmarks.record import read_result
from spi_lightning.errors import UserError
from spi_lightning.metrics import HitMetrics
from spi_lightning.tasks import find_checkpoint
from spi_lightning.tasks.weights_file import as_read
from spi_lightning.tracking.overrides import key_of, recorded_overrides
from spi_lightning.tracking.run_folder import git_revision
from spi_lightning.weights import ModelCard, Result, ensemble_of, held_out_numbers, read_card, ship, write_card

RECIPES: Final = Path(__file__).parent / "cards"
MEMBERS: Final = Path("runs/weights")
COMMAND: Final = "python -m benchmarks.ship_weights"
_INDIFFERENT: Final = ("seed", "checkpoint", "tracking", "folder", "out", "callbacks.often.every_n_train_steps")
_SAME: Final = 0.05  # of the interval of a number: what float16 may change it by

Recipe = Mapping[str, Any]
Numbers = Mapping[str, float | None]


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


def make(name: str, recipe: Recipe, runs: Sequence[Path]) -> ModelCard:
    """Ensemble of trained runs, calibrated on the validation patterns of the first, with its card, in the package."""
    for run in runs:
        _require_recipe(run, recipe)
    config, weights = ensemble_of([find_checkpoint(run) for run in runs])
    half, weights, numbers = _smallest(config, weights, recipe.get("half", False))
    words = {key: recipe[key] for key in ("summary", "input", "data", "domain", "failures", "licence")}
    card = ModelCard(
        name=name,
        network=_network(config, weights, len(runs)),
        commands=[*_commands(name, recipe, len(runs)), f"{COMMAND} {name}"],
        commit=git_revision() or "unknown",
        objective=f"{config['objective']}: {recipe['objective']}",
        threshold=_threshold(config, weights),
        results=[*_measured(name), *_of_test(numbers, config)],
        sha256="",
        **words,
    )
    return ship(card, weights, config, half)


def renew(name: str) -> None:
    """Write the numbers of benchmarks into the card of weights that are there; those of the test patterns stay."""
    card = read_card(name)
    kept = [result for result in card.results if result.command == COMMAND]
    write_card(replace(card, results=[*_measured(name), *kept]))


def _smallest(
    config: Mapping[str, Any], weights: Mapping[str, Any], half: bool
) -> tuple[bool, dict[str, Any], Numbers]:
    """Whether float16 changes nothing, the calibrated weights as they are read, and their numbers."""
    whole, numbers = calibrated(config, weights)
    if not half:
        return False, whole, numbers
    halved, found = calibrated(config, as_read(weights, half=True))
    changed = [name for name in found if "/" not in name and _differ(name, numbers, found)]
    print(f"float16 {'changes ' + ', '.join(changed) if changed else 'changes nothing'}", flush=True)
    return (False, whole, numbers) if changed else (True, halved, found)


def _differ(name: str, one: Numbers, other: Numbers) -> bool:
    first, second = (float(each[name] or 0) for each in (one, other))
    ends = [one.get(f"{name}/{end}") for end in ("low", "high")]
    width = 0.0 if None in ends else float(ends[1] or 0) - float(ends[0] or 0)
    return abs(first - second) > max(_SAME * width, 1e-4 * abs(first))


def calibrated(config: Mapping[str, Any], weights: Mapping[str, Any]) -> tuple[dict[str, Any], Numbers]:
    """Weights with threshold, temperature and domain fitted to validation patterns, and numbers on test patterns."""
    torch.set_num_threads(2)
    task = instantiate(config["task"])
    task.load_state_dict(dict(weights))
    data = deepcopy(dict(config["data"]))
    data["patterns"] = {**data["patterns"], "train": 0}  # which no number needs
    numbers = held_out_numbers(task, instantiate(data, _convert_="all"), calibrate=True)
    return dict(task.state_dict()), numbers


def _network(config: Mapping[str, Any], weights: Mapping[str, Any], members: int) -> str:
    kind = config["network"]["_target_"].rpartition(".")[2]
    parameters = sum(value.numel() for key, value in weights.items() if key.startswith("network."))
    return f"{kind}, {f'{members} networks' if members > 1 else 'one network'}, {parameters:,} numbers"


def _threshold(config: Mapping[str, Any], weights: Mapping[str, Any]) -> float | None:
    if "threshold" in weights:
        return round(float(weights["threshold"]), 4)
    metrics = instantiate(config["task"]["metrics"]) if "metrics" in config["task"] else None
    return metrics.threshold if isinstance(metrics, HitMetrics) else None


def _member(name: str, recipe: Recipe, seed: int) -> Path:
    """Run folder of the last stage of a member, all stages trained or resumed; one that is done says so and ends."""
    for stage, run in enumerate(folders := _folders(name, recipe, seed)):
        done = (run / "checkpoints/last.ckpt").is_file()
        words = [f"resume={run}"] if done else _words(recipe, seed, stage, folders)
        subprocess.run([sys.executable, "-m", "spi_lightning", "train", *words], check=True)
    return folders[-1]


def _folders(name: str, recipe: Recipe, seed: int) -> list[Path]:
    """Run folders of the stages of a member."""
    last = MEMBERS / f"{name}_seed{seed}"
    return [*(last.with_name(f"{last.name}_stage{n}") for n in range(1, len(recipe["stages"]))), last]


def _words(recipe: Recipe, seed: int, stage: int, folders: Sequence[Path]) -> list[str]:
    """Words of ``spi train`` for one stage; a later stage starts from the one before it."""
    start = [f"checkpoint={folders[stage - 1]}"] if stage else []
    return [*shlex.split(recipe["stages"][stage]), *start, f"seed={seed}", f"out={folders[stage]}"]


def _commands(name: str, recipe: Recipe, members: int) -> list[str]:
    return [
        shlex.join(["spi", "train", *_words(recipe, seed, stage, _folders(name, recipe, seed))])
        for seed in recipe["seeds"][:members]
        for stage in range(len(recipe["stages"]))
    ]


def _require_recipe(run: Path, recipe: Recipe) -> None:
    """UserError for a run that was not trained as the last stage of the recipe says."""
    recorded = {word for word in recorded_overrides(run) if key_of(word) not in _INDIFFERENT}
    if recorded and (differing := sorted(recorded ^ set(shlex.split(recipe["stages"][-1])))):
        raise UserError(f"{run}: {differing[0]} is in its command or in the recipe of the weights, not in both")


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


def _of_test(numbers: Numbers, config: Mapping[str, Any]) -> list[Result]:
    where = f"{config['data']['patterns']['test']} simulated test patterns of {config['name']}"
    results = []
    for name, value in numbers.items():
        ends = [numbers.get(f"{name}/{end}") for end in ("low", "high")]
        if "/" in name or value is None:
            continue
        interval = None if None in ends else [_rounded(float(end or 0)) for end in ends]
        results.append(Result(where, name, _rounded(value), interval, COMMAND))
    return results


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
