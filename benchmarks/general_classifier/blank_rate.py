"""Purity of the selection of a general classifier while the share of blank frames grows from 0 to 95 %.

python -m benchmarks.general_classifier.blank_rate [--methods NAME_OR_RUN ...] [--folder FOLDER] [--quick]

The hits are the same at every rate: the first 60 single hits and 60 others of an experiment. Blank frames are drawn by
the package's optics with the background and the halo of that experiment. Every rate is a file of its own, whose hits,
beam centre and speckle width are found anew. Goal: precision of at least 0.95 at a recall of at least 0.9 at every
rate, which blank frames alone never lower.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.record import read_result, write_result
from benchmarks.trusted import add_trust
from spi_lightning.api.evaluation import method_of
from spi_lightning.evaluation.hits import evaluate_hits
from spi_lightning.fields import KIND, Kind
from spi_lightning.io import PatternFile, open_patterns
from spi_lightning.physics.photons import count_photons

from .detectors import mask_of
from .experiments import EXPERIMENTS, Experiment
from .facility import opened
from .frames import BLANK
from .scoring import precision_at_90_recall
from .simulator import simulator_of

NAME: Final = "blank_rate"
RATES: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)
WHERE: Final = ("bricks_250ev", "blanks_90", "weak_cspad")
_EACH: Final = 60  # single hits, and other hits
_AT_ONCE: Final = 50  # blank frames


def main() -> None:
    """Print the numbers and write benchmarks/results/blank_rate.json (--quick: writes nothing)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["general"], help="run folders, weights")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/general_classifier"), help="folder of the experiments"
    )
    parser.add_argument("--quick", action="store_true", help="the first experiment at two rates, nothing kept")
    add_trust(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept: dict[str, Any] = {} if options.quick else read_result(NAME)
    for name in WHERE[:1] if options.quick else WHERE:
        experiment = next(each for each in EXPERIMENTS if each.name == name)
        for rate in RATES[2:4] if options.quick else RATES:
            patterns = _with_blanks(experiment, options.folder, rate)
            for entry in options.methods:
                numbers = _numbers(entry, patterns)
                kept.setdefault(Path(entry).name, {}).setdefault(name, {})[f"{rate:g}"] = numbers
                print(name, rate, Path(entry).name, numbers, flush=True)
            if not options.quick:
                write_result(NAME, kept)


def _with_blanks(experiment: Experiment, folder: Path, rate: float) -> PatternFile:
    """The same hits of an experiment with so many blanks, in random order; the file is made unless it is there."""
    patterns = opened(experiment, folder, experiment.frames)
    kind = patterns.labels[KIND]
    hits = [np.flatnonzero(kind == Kind.SINGLE)[:_EACH], np.flatnonzero(kind > Kind.SINGLE)[:_EACH]]
    hit = np.concatenate(hits)
    count = round(rate / (1 - rate) * len(hit))
    random = np.random.default_rng([experiment.seed, count])
    kinds = np.concatenate([kind[hit], np.full(count, BLANK)])
    order = random.permutation(len(kinds))
    path = folder / f"{experiment.name}_blanks_{count}.h5"
    mask = np.asarray(patterns.read_mask(np.array([0]))[0])
    if not path.is_file():
        photons = np.concatenate([patterns.read(hit).astype(np.uint16), _blanks(experiment, count)])
        with h5py.File(path, "w") as file:
            file.create_dataset("patterns", data=(photons * mask)[order], chunks=(1, *mask.shape),
                                **hdf5plugin.Bitshuffle(cname="lz4"))  # fmt: skip
            file["mask"] = (~mask).astype(np.uint8)
    single = (kinds[order] == Kind.SINGLE).astype(np.int64)
    return open_patterns(path, mask_convention="bad").changed(labels={"is_single_hit": single, KIND: kinds[order]})


def _blanks(experiment: Experiment, count: int) -> NDArray[np.uint16]:
    """Frames with the background and the halo of an experiment alone, (count, H, W)."""
    mask, placed, _ = mask_of(experiment.detector)
    beam = experiment.beam if experiment.beam[0] >= 0 else placed
    assert beam is not None
    optics = simulator_of(_without_bodies(experiment), mask, beam).optics
    generator, measured = torch.Generator().manual_seed(experiment.seed), torch.from_numpy(mask)
    parts = [np.empty((0, *mask.shape), dtype=np.uint16)]
    for start in range(0, count, _AT_ONCE):
        place = torch.tensor(beam).expand(min(_AT_ONCE, count - start), 2)
        expected = optics(torch.zeros(len(place), *mask.shape), place, measured.expand(len(place), -1, -1), generator)
        parts.append(count_photons(expected * measured, generator).numpy().astype(np.uint16))
    return np.concatenate(parts)


def _without_bodies(experiment: Experiment) -> Experiment:
    """The experiment with a body that the package's simulator knows, as no particle is drawn."""
    return replace(experiment, bodies={"sphere": 1.0})


def _numbers(entry: str, patterns: PatternFile) -> dict[str, Any]:
    """Counts and rates of one method on a file."""
    method = method_of(entry, "hits")
    extra = {"precision_at_90_recall": precision_at_90_recall}
    result = evaluate_hits(patterns, [method], extra=extra, replicates=200, hit_threshold=None, gallery=0, occlusion=0)
    answer, blank = result.primary, patterns.labels[KIND] == BLANK
    found = result.metrics["methods"][method.name]
    hit = np.ones(len(blank), dtype=bool) if answer.is_hit is None else np.asarray(answer.is_hit, dtype=bool)
    numbers: dict[str, Any] = {"frames": len(blank), "blanks": int(blank.sum())}
    numbers |= {"blanks_found_hits": int((hit & blank).sum()), "hits_found_blank": int((~hit & ~blank).sum())}
    numbers |= {"blanks_selected": int(answer.decision[blank].sum())}
    names = ("auroc", "precision", "recall", "precision_at_90_recall")
    return numbers | {name: found.get(f"test/{name}") for name in names}


if __name__ == "__main__":
    main()
