"""Methods without labels, with 20 and with 500 labels, on simulated experiments and on PR772: which to take when.

python -m benchmarks.learning_curves [--only NAME ...] [--methods NAME ...] [--resnet10 RUN] [--folder FOLDER] [--quick]

Simulated: experiments of general_classifier of 600 frames. 20 labels: ten of each kind, drawn at random; the other 580
are scored. 500 labels: six folds of 100, each answered with the labels of the other 500, so that all 600 are scored.
``asked first``: the 20 frames that ``spi label`` asks for, one draw. Measured: 25 frames of PR772, 18 of clear label,
in five folds: each answered with the 20 labels of the others, which is the most that 25 frames allow. Every number is
a mean over draws with their standard deviation; what is scored is kept, and an interrupted run goes on.

``general, fine-tuned``: spi train experiment=finetune checkpoint=general with the labels of a draw, 30 epochs.
Learners see frames around the beam at a known scale, as in general_classifier; networks see the file as it is.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.general_classifier.experiments import EXPERIMENTS
from benchmarks.general_classifier.facility import opened
from benchmarks.general_classifier.real import pr772
from benchmarks.general_classifier.window import windowed
from benchmarks.record import read_result, write_result
from benchmarks.sim_to_real import DOUBTFUL
from spi_lightning.api.evaluation import method_of
from spi_lightning.evaluation import Cache
from spi_lightning.evaluation.hits import HitMethod, evaluate_hits
from spi_lightning.evaluation.hits.question import LabelledSubset, needs_labels
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import PatternFile
from spi_lightning.labelling import LabelFile
from spi_lightning.labelling.label_file import OTHER, SINGLE
from spi_lightning.labelling.teaching_order import teaching_order
from spi_lightning.methods import FrozenFeatures
from spi_lightning.results.hit_answer import TrainingLabels
from spi_lightning.tasks.frozen.backbone import FrozenCheckpoint
from spi_lightning.tasks.frozen.vgg16 import FrozenVGG16

NAME: Final = "learning_curves"
SIMULATED: Final = ("small_64x48", "weak_cspad", "core_shell_12kev", "bricks_250ev")
MEASURED: Final = "pr772"
WITHOUT: Final = ("photon_count", "general")
CLASSICAL: Final = ("graph_cut", "diffusion_map", "random_forest", "pca_neighbours")
FROZEN: Final = ("efficientnet_lite0", "random_vgg16", "frozen_resnet10")
PER_CLASS: Final = 10
FEW_FOLDS, MANY_FOLDS = 5, 6
FEW_DRAWS, MANY_DRAWS, TUNED_DRAWS = 5, 2, 2
TUNED: Final = "general, fine-tuned"
_VGG_EDGE: Final = 112  # pixels: a quarter of the cost of 224
_QUICK: Final = 60  # frames of an experiment


def main() -> None:
    """Print the numbers and write benchmarks/results/learning_curves.json (--quick: writes nothing)."""
    options = _options()
    torch.set_num_threads(1)
    kept: dict[str, Any] = {} if options.quick else read_result(NAME)
    for name in options.only:
        rows = kept.setdefault("sets", {}).setdefault(name, {})
        sets = _Sets(name, options)
        for entry in options.methods:
            for labels, subsets in sets.questions(entry):
                if f"{entry}, {labels}" in rows:
                    continue
                draws = [sets.score(entry, subset) for subset in subsets]
                rows[f"{entry}, {labels}"] = _spread(draws)
                print(f"{name:18s} {entry:20s} {labels:12s} {rows[f'{entry}, {labels}']}", flush=True)
                if not options.quick:
                    write_result(NAME, kept)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names, entries = (*SIMULATED, MEASURED), (*WITHOUT, *CLASSICAL, *FROZEN, TUNED)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--methods", nargs="+", choices=entries, default=entries, metavar="NAME", help=", ".join(entries)
    )
    parser.add_argument("--resnet10", default="runs/demo_resnet10", help="run of frozen_resnet10")
    parser.add_argument("--folder", type=Path, default=Path("runs/general_classifier"), help="files of the experiments")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} frames of each, nothing kept")
    return parser.parse_args()


class _Sets:
    """Frames of one experiment as networks and as learners see them, and the questions asked on them."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.options = name, options
        if name == MEASURED:
            self.whole = self.middle = pr772()
            self.excluded = np.array(DOUBTFUL)
            return
        experiment = next(one for one in EXPERIMENTS if one.name == name)
        self.whole = opened(experiment, options.folder, _QUICK if options.quick else experiment.frames)
        self.middle = windowed(self.whole, experiment.beam, experiment.speckle)
        self.excluded = np.empty(0, dtype=np.int64)

    def patterns(self, method: HitMethod) -> PatternFile:
        """Frames that a method is given."""
        return self.middle if needs_labels(method) else self.whole

    def questions(self, entry: str) -> Iterator[tuple[str, Sequence[LabelledSubset]]]:
        """Names of the numbers of labels, each with its draws."""
        if entry in WITHOUT:
            yield "0", [LabelledSubset()]
        elif entry == TUNED and self.name != MEASURED:
            yield "20", [LabelledSubset(per_class=PER_CLASS, seed=seed) for seed in range(TUNED_DRAWS)]
            yield "asked first", [LabelledSubset(frames=self._most_teaching())]
        elif entry == TUNED:
            return
        elif self.name == MEASURED:
            yield "20", [LabelledSubset(folds=FEW_FOLDS, seed=seed) for seed in range(FEW_DRAWS)]
        else:
            yield "20", [LabelledSubset(per_class=PER_CLASS, seed=seed) for seed in range(FEW_DRAWS)]
            yield "asked first", [LabelledSubset(frames=self._most_teaching())]
            yield "500", [LabelledSubset(folds=MANY_FOLDS, seed=seed) for seed in range(MANY_DRAWS)]

    def score(self, entry: str, subset: LabelledSubset) -> dict[str, float]:
        """Numbers of a method on one draw of labels."""
        if entry == TUNED:
            return self._tuned(subset.draw(self.whole.labels[IS_SINGLE_HIT]))
        method = self.method(entry)
        return _score(method, self.patterns(method), subset, self.excluded)

    def _tuned(self, learned: TrainingLabels) -> dict[str, float]:
        """Numbers of the general network, fine-tuned on some labels, on all other frames."""
        known = self.whole.labels[IS_SINGLE_HIT]
        with tempfile.TemporaryDirectory() as folder:
            labels = LabelFile(Path(folder) / "labels.txt", self.whole.path.name, len(known))
            for frame, label in zip(learned.frame.tolist(), learned.is_single_hit.tolist(), strict=True):
                labels.put(frame, SINGLE if label else OTHER)
            words = ["experiment=finetune", "checkpoint=general", f"data.path={self.whole.path}", "tracking=disabled"]
            words += [f"data.keys.label={labels.path}", f"hydra.run.dir={folder}/run"]
            command = [sys.executable, "-m", "spi_lightning", "train", *words]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            rest = known.copy()
            rest[learned.frame] = -1
            others = self.whole.changed(labels={**self.whole.labels, IS_SINGLE_HIT: rest})
            return _score(method_of(f"{folder}/run", "hits"), others, LabelledSubset(), self.excluded)

    def _most_teaching(self) -> list[int]:
        """The 20 frames that spi label asks for first, each answered by its true label."""
        order = teaching_order(self.whole, method_of("general", "hits"), len(self.whole), Cache.named("auto"))
        return order.ask_in_advance(2 * PER_CLASS, self.whole.labels[IS_SINGLE_HIT])

    def method(self, entry: str) -> HitMethod:
        """A method by its name in the table."""
        made: dict[str, Callable[[], Any]] = {
            "random_vgg16": lambda: FrozenVGG16("random:0", size=_VGG_EDGE),
            "frozen_resnet10": lambda: FrozenCheckpoint(self.options.resnet10),
        }
        if entry in made:
            return FrozenFeatures(name=entry, backbone=made[entry](), device="cpu")
        return method_of(entry, "hits")


def _score(
    method: HitMethod, patterns: PatternFile, subset: LabelledSubset, excluded: NDArray[np.int64]
) -> dict[str, float]:
    """AUROC and accuracy of one draw; of measured frames also without those of doubtful label."""
    result = evaluate_hits(
        patterns, [method], subset=subset, excluded=excluded, cache=Cache.named("auto"), replicates=2,
        hit_threshold=None, gallery=0, occlusion=0,
    )  # fmt: skip
    found = result.metrics["methods"][method.name]
    named = {"auroc": "test/auroc", "accuracy": "test/accuracy", "clear_auroc": "test_kept/auroc"}
    return {name: found[key] for name, key in named.items() if found.get(key) is not None}


def _spread(draws: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean and standard deviation over draws of each number, and how many draws."""
    numbers: dict[str, Any] = {"draws": len(draws)}
    for name in draws[0]:
        values = [draw[name] for draw in draws]
        numbers[name] = float(np.mean(values))
        if len(values) > 1:
            numbers[f"{name}_sd"] = float(np.std(values, ddof=1))
    return numbers


if __name__ == "__main__":
    main()
