"""Order and decisions of a network at the width of fitted spheres and at the width that tasks.informative_width takes.

python -m benchmarks.informative_width [WEIGHTS_OR_RUN] [--files N]

Every file is of one body of ``simulate=general``, rare ones as often as the root of their weight, on a square detector
of 96 to 160 pixels with hole and gap: 100 hits of all kinds, 500 to 300,000 photons. None is a test experiment of
benchmarks.general_classifier. The rule is also tried on hits of which other shares are single. Minutes for ten files.
"""

import argparse
import math
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.frame_scale import mask_around, place_beam, simulator_of
from benchmarks.record import write_result
from spi_lightning.api.configured import make_part
from spi_lightning.api.evaluation import method_of
from spi_lightning.api.patterns import as_patterns
from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.fields import FRAME, KIND, MASK, PHOTONS, PROBABILITY, Kind
from spi_lightning.io import PatternFile
from spi_lightning.methods import CheckpointMethod
from spi_lightning.simulate import CanonicalHitSimulator
from spi_lightning.tasks import HitClassification
from spi_lightning.tasks.informative_width import CLEARLY, FACTORS, at_width, mutual_information

HITS: Final = 100
SEED: Final = 5
KINDS: Final = {"single": 0.48, "double": 0.14, "triple": 0.06, "quadruple": 0.04, "many": 0.06, "contaminant": 0.22}
SHARES: Final = (0.0, 0.05, 0.2, 0.5, 0.9, 1.0)


def main() -> None:
    """Print the table and write benchmarks/results/informative_width.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", default="general", help="name of weights, or a run folder")
    parser.add_argument("--files", type=int, default=70, help="number of simulated files")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task, random = cast(CheckpointMethod, method_of(options.weights, "hits")).task, np.random.default_rng(SEED)
    wide: CanonicalHitSimulator = make_part("simulate", "general", {})
    files = [_answers(task, *_file(random, wide)) for _ in range(options.files)]
    rows = {str(share): _row(files, share) for share in SHARES}
    for share, row in rows.items():
        print(f"{100 * float(share):3.0f} % single", {name: round(value, 4) for name, value in row.items()})
    write_result("informative_width", {"files": options.files, "weights": options.weights, "shares": rows})


def _file(random: np.random.Generator, wide: CanonicalHitSimulator) -> tuple[PatternFile, NDArray[np.bool_]]:
    """Hits of one body of a general simulation, and which are single."""
    weights = np.sqrt([float(weight) for weight in wide.scene.particle.bodies.values()])
    body = str(random.choice(list(wide.scene.particle.bodies), p=weights / weights.sum()))
    edge = int(random.choice([96, 128, 160]))
    width, photons = math.exp(random.uniform(math.log(4), math.log(edge / 9))), 10 ** random.uniform(2.7, 5.5)
    centre, flat = (edge - 1) / 2 + random.uniform(-0.05, 0.05, 2) * edge, float(random.choice([0.0005, 0.002, 0.01]))
    simulator, seed = simulator_of(random, (edge, edge), width, photons, flat), int(random.integers(1 << 30))
    usual = replace(simulator.scene.particle, bodies={body: 1.0}, stretch=0.05, shapes=dict(wide.scene.particle.shapes))
    simulator.scene = replace(simulator.scene, kinds=KINDS, particle=usual)
    simulator.samples = 64
    place_beam(simulator, centre)
    blocks = [simulator(block, seed) for block in range(HITS // simulator.block_size)]
    mask = mask_around(random, (edge, edge), centre, width)
    kind = torch.cat([block[KIND] for block in blocks])
    return as_patterns(torch.cat([block[PHOTONS] for block in blocks]) * mask, mask), (kind == Kind.SINGLE).numpy()


def _answers(task: HitClassification, file: PatternFile, single: NDArray[np.bool_]) -> dict[str, Any]:
    """Probabilities (n,) of the hits of a file at every width, and which of them are single."""
    preprocess = task.preprocess
    assert isinstance(preprocess, ScaleFree)
    preprocess.fit_to(file)
    fitted, hits = preprocess.scale, np.sort(preprocess.hits)
    assert fitted is not None
    mask = torch.from_numpy(np.array(file.mask))[None, None]
    batch = {PHOTONS: torch.from_numpy(file.read(hits))[:, None], MASK: mask, FRAME: torch.from_numpy(hits)}
    found = {}
    with torch.inference_mode():
        for factor in FACTORS:
            preprocess.scale = at_width(fitted, factor)
            found[factor] = task.predict_step(batch)[PROBABILITY]
    return {"probability": found, "single": single[hits]}


def _row(files: list[dict[str, Any]], share: float) -> dict[str, float]:
    """Means over the files with so many single hits: area under ROC and accuracy at both widths, and what changed."""
    table = np.array([_compared(file, share) for file in files])
    area, chosen_area, right, chosen_right, changed = table.T
    gain = chosen_right - right
    both = np.isfinite(area)
    areas = {"auroc": float(area[both].mean()), "auroc_chosen": float(chosen_area[both].mean())} if both.any() else {}
    return {
        **areas,
        "accuracy": float(right.mean()),
        "accuracy_chosen": float(chosen_right.mean()),
        "changed": float(changed.sum()),
        "less_accurate": float((gain < -0.02).sum()),
        "largest_loss": float(-gain.min()),
    }


def _compared(file: dict[str, Any], share: float) -> tuple[float, ...]:
    """Area and accuracy at both widths of hits of which a share is single, and whether the widths differ."""
    single, probability = file["single"], file["probability"]
    yes, no = np.flatnonzero(single), np.flatnonzero(~single)
    if share >= 0.5:
        no = no[: int(len(yes) * (1 - share) / share)]
    else:
        yes = yes[: int(len(no) * share / (1 - share))]
    rows = np.concatenate([yes, no])
    information = {factor: float(mutual_information(found[rows])) for factor, found in probability.items()}
    best = max(information, key=lambda factor: information[factor])
    best = best if information[best] >= information[1.0] + CLEARLY else 1.0
    answers = [probability[factor][rows].numpy() for factor in (1.0, best)]
    both = 0 < single[rows].sum() < len(rows)
    areas = [float(roc_auc_score(single[rows], each)) if both else math.nan for each in answers]
    right = [float(((each >= 0.5) == single[rows]).mean()) for each in answers]
    return *areas, *right, float(best != 1.0)


if __name__ == "__main__":
    main()
