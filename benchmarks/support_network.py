"""Supports of structures that no network was trained on: the whole trade-off, and what an answer costs.

python -m benchmarks.support_network [--run RUN] [--experiment bellisario_support] [--name NAME]
python -m benchmarks.support_network --timing

Without --run the experiment is trained first. Test patterns are those of the run's own configuration. Levels of the
network are chosen on its validation patterns for several coverages; the intersections of shifted autocorrelations, cut
at several shares of their maximum, stand beside it. Every row is scored after the integer shift and twin of largest
overlap. The picture docs/images/support_trade_off_SIZE.png shows all thresholds, without and with a pixel of dilation.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from torch import Tensor

from benchmarks.doors import train
from benchmarks.record import read_result, write_result
from benchmarks.trusted import add_trust
from spi_lightning.baselines.triple_intersection import double_intersection, triple_intersection
from spi_lightning.fields import DENSITY, INTENSITY, MASK, STRUCTURE
from spi_lightning.metrics import SupportMetrics, choose_level, trade_off
from spi_lightning.metrics.supports.support_overlap import dilated, errors
from spi_lightning.networks import SupportEncoderDecoder
from spi_lightning.physics.support import autocorrelation_support, ideal_support
from spi_lightning.reports.supports.figures import trade_off_figure
from spi_lightning.tasks import SupportPrediction, load_task

COVERAGES = (0.90, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99)
CUTS = (0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)  # of the autocorrelation at w = 0
OWN = 3e-5  # of conf/method/triple_intersection.yaml
GOALS = {64: (50, 95), 128: (230, 90)}  # frame edge -> false positives, % of patterns: what has to be beaten
PICTURES = Path(__file__).parents[1] / "docs" / "images"
LEVELS = torch.linspace(-9.0, 4.0, 79).sigmoid()
LISTED = ("covered", "false_negatives", "false_positives", "area_ratio", "iou", "worst_structure", "centrosymmetry")


def judged(data: dict[str, Any]) -> dict[str, Any]:
    """The run's data without its training set, which need not be made again."""
    return {**data, "patterns": {split: data["patterns"][split] for split in ("val", "test")}}


def answers(task: SupportPrediction, data: Any, split: str) -> dict[str, Tensor]:
    """Scores (N, H, W), densities, structures, intensities and masks of a split."""
    loader = data.val_dataloader() if split == "val" else data.test_dataloader()
    kept: dict[str, list[Tensor]] = {name: [] for name in ("score", DENSITY, STRUCTURE, INTENSITY, MASK)}
    with torch.inference_mode():
        for batch in loader:
            kept["score"].append(task.score_of(task(batch), batch))
            for name in (DENSITY, INTENSITY, MASK):
                kept[name].append(batch[name][:, 0])
            kept[STRUCTURE].append(batch[STRUCTURE])
    return {name: torch.cat(values) for name, values in kept.items()}


def some_of(patterns: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """Up to so many of them, evenly over all."""
    rows = torch.linspace(0, len(patterns[STRUCTURE]) - 1, min(count, len(patterns[STRUCTURE]))).round().long()
    return {name: values[rows] for name, values in patterns.items()}


def row(name: str, support: Tensor, test: dict[str, Tensor]) -> dict[str, float]:
    """Score supports of the test patterns and print them."""
    metrics = SupportMetrics()
    metrics.update(support, support.float(), test[DENSITY], test[STRUCTURE])
    numbers = {key: float(value) for key, value in metrics.compute().items()}
    print(f"{name:34s}" + "".join(f"{numbers[key]:9.3f}" for key in LISTED), flush=True)
    return numbers


def network_rows(val: dict[str, Tensor], test: dict[str, Tensor]) -> dict[str, Any]:
    """Levels chosen on validation structures, without and with a pixel of dilation; and a fixed cut at 10 %."""
    rows: dict[str, Any] = {}
    truth = ideal_support(val[DENSITY])
    for dilation in (0, 1):
        missed, loose = trade_off(val["score"], truth, LEVELS, dilation)
        for coverage in COVERAGES:
            level = choose_level(missed, loose, LEVELS, coverage)
            name = f"network {100 * coverage:g} %, level {level:.4f}, grown {dilation}"
            rows[name] = row(name, dilated(test["score"] > level, dilation), test)
    peak = test["score"].amax(dim=(-2, -1), keepdim=True)
    rows["network, 10 % of its maximum"] = row("network, 10 % of its maximum", test["score"] > 0.1 * peak, test)
    return rows


def intersections(test: dict[str, Tensor], threshold: float) -> dict[str, Tensor]:
    """The autocorrelation's support at one threshold and its intersections, (N, H, W) bool each."""
    parts: dict[str, list[Tensor]] = {}
    for intensity, mask in zip(*(torch.split(test[key], 64) for key in (INTENSITY, MASK)), strict=True):
        region, autocorrelation = autocorrelation_support(intensity, mask, threshold)
        found = {"autocorrelation": region, "double": double_intersection(region)}
        for choice in ("guaranteed", "tested", "smallest"):
            found[f"triple, {choice}"] = triple_intersection(region, autocorrelation, choice)
        for name, support in found.items():
            parts.setdefault(name, []).append(support)
    return {name: torch.cat(supports) for name, supports in parts.items()}


def intersection_rows(test: dict[str, Tensor]) -> dict[str, Any]:
    """Double and triple intersections of the same patterns."""
    rows: dict[str, Any] = {}
    for threshold in (OWN, 3e-4, 1e-3, 1e-2):
        for name, support in intersections(test, threshold).items():
            rows[f"{name}, cut {threshold:g}"] = row(f"{name}, cut {threshold:g}", support, test)
    return rows


def trade_offs(test: dict[str, Tensor], own: float) -> dict[str, list[dict[str, Any]]]:
    """What other thresholds and a pixel of growth give, for trade_off_figure; ``own`` is the network's level."""
    truth = ideal_support(test[DENSITY])
    curves: dict[str, list[dict[str, Any]]] = {"network": []}
    for level in LEVELS.tolist():
        curves["network"] += points(test["score"] > level, truth, level)
    curves["network"].append(points(test["score"] > own, truth, None)[0])
    for threshold in (*CUTS, None):
        for name, support in intersections(test, threshold or OWN).items():
            curves.setdefault(name, []).extend(points(support, truth, threshold)[: None if threshold else 1])
    return curves


def points(support: Tensor, truth: Tensor, setting: float | None) -> list[dict[str, Any]]:
    """One point of a curve, without and with a pixel of dilation."""
    found = []
    for dilation in (0, 1):
        missed, loose, _, _ = errors(dilated(support, dilation), truth)
        shares = {"below_two_false_negatives": float((missed < 2).float().mean())}
        found.append({"setting": setting, "dilation": dilation, "false_positives": float(loose.mean()), **shares})
    return found


def milliseconds(network: torch.nn.Module, size: int, channels: int = 1, batch: int = 16) -> float:
    """Processor time of one pattern on one thread, best of seven batches."""
    pattern, best = torch.rand(batch, channels, size, size), float("inf")
    with torch.inference_mode():
        network.eval()(pattern)
        for _ in range(7):
            began = time.process_time()
            network(pattern)
            best = min(best, time.process_time() - began)
    return 1e3 * best / batch


def inference() -> dict[str, float]:
    """Print and give what one pattern costs on one thread: the reduced network at 64 pixels, the paper's at 128."""
    reduced = SupportEncoderDecoder(size=64, widths=(8, 16, 32), latent=256, logits=True)
    cost = {
        f"{_weights(reduced):,} parameters, 64 pixels": milliseconds(reduced, 64),
        f"{_weights(SupportEncoderDecoder()):,} parameters, 128 pixels": milliseconds(
            SupportEncoderDecoder(), 128, batch=4
        ),
    }
    for name, value in cost.items():
        print(f"{name}: {value:.2f} ms per pattern on one thread")
    return cost


def _weights(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def main() -> None:
    """Print the tables and write benchmarks/results/support_network.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="bellisario_support")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--name", help="of the entry in the results; default: the experiment")
    parser.add_argument("--timing", action="store_true", help="only what an answer costs; needs no run")
    parser.add_argument("--patterns", type=int, default=1000, help="at most; of each split")
    parser.add_argument("--curve", type=int, default=300, help="patterns of the trade-off curve")
    add_trust(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.timing:
        print(write_result("support_network", {**read_result("support_network"), "inference": inference()}))
        return
    run = options.run or Path("runs/bench") / options.experiment
    finished = options.run is None or (run / "metrics.json").is_file()
    trained = train(run, f"experiment={options.experiment}") if finished else {"unfinished": True}
    task, config = load_task(run, instantiate, SupportPrediction)
    assert isinstance(task, SupportPrediction)
    data = instantiate(judged(config["data"]), _convert_="all")
    data.prepare_data()
    data.setup("fit")
    val, test = (some_of(answers(task, data, split), options.patterns) for split in ("val", "test"))
    size, area = test[DENSITY].shape[-1], float(ideal_support(test[DENSITY]).sum((1, 2)).float().mean())
    print(
        f"{len(test[DENSITY])} patterns of {len(set(test[STRUCTURE].tolist()))} structures, mean support {area:.0f} px"
    )
    print(f"{'':34s}" + "".join(f"{key.replace('false_', '')[:8]:>9s}" for key in LISTED))
    rows = {**network_rows(val, test), **intersection_rows(test)}
    cost = inference() | {"this network": milliseconds(task.network, size, getattr(task.network, "in_channels", 1))}
    print(f"this network: {cost['this network']:.2f} ms")
    curves = trade_offs(some_of(test, options.curve), float(task.threshold))
    picture = PICTURES / f"support_trade_off_{size}.png"
    trade_off_figure(curves, GOALS.get(size)).savefig(picture, dpi=80)
    print(picture)
    entry = {"pixels": size, "mean_support": area, "rows": rows, "milliseconds": cost, "trained": trained}
    print(
        write_result("support_network", {**read_result("support_network"), options.name or options.experiment: entry})
    )


if __name__ == "__main__":
    main()
