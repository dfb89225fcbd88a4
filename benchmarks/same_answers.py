"""Answers of the commands before and after a change of the code that must not change them.

`python -m benchmarks.same_answers record FOLDER` runs small simulations, trainings, evaluations and phasings of every
kind with fixed seeds and writes FOLDER/answers.json: the numbers of every metrics.json, the cells of every table of
every page, and the hash of every network's weights. `... compare BEFORE AFTER` prints what differs and exits with 1 if
anything does. `record` goes on where it was interrupted; `--only NAME` runs some parts.
"""

import argparse
import hashlib
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[1]
# Seconds, memory, rates and commits are not answers; tables of times differ all the same and are to be read by eye.
UNSTABLE = re.compile(
    r"^[0-9a-f]{40}$|ms_per|second|minute|memory|MiB|GiB|MB|GB|per_s|/s\b|time|speed|throughput|version|folder|path|started|\bms\b",
    re.I,
)
TRAINING = ["tracking=disabled"]


def plan(folder: Path) -> dict[str, list[list[str]]]:
    """Commands of every part by name, each after the parts it reads; `{part}` is the folder of a part."""
    python = sys.executable
    simulate = [python, "-m", "spi_lightning", "simulate", "seed=1", "workers=1", "examples=0"]
    train = [python, "train.py", *TRAINING]
    evaluate = [python, "evaluate.py"]
    phase = [python, "-m", "spi_lightning", "phase"]
    cache = f"cache={folder}/cache"
    structures = f"simulate.structures.path={folder}/structures"
    small = [
        "data.patterns.train=64",
        "data.patterns.val=32",
        "data.patterns.test=32",
        "data.batch_size=16",
        "data.num_workers=0",
        f"data.cache_dir={folder}/sets",
        "simulate.block_size=16",
        "trainer.max_steps=2",
        "trainer.max_epochs=-1",
    ]
    volumes = [
        "data.patterns.train=8",
        "data.patterns.val=4",
        "data.patterns.test=4",
        "data.batch_size=4",
        "data.num_workers=0",
        f"data.cache_dir={folder}/sets",
        "simulate.size=16",
        "simulate.object_size=8",
        "network.width=2",
        "network.levels=3",
        "trainer.max_steps=2",
        "trainer.max_epochs=-1",
    ]
    parts: dict[str, list[list[str]]] = {
        "simulated_hits": [[*simulate, "patterns=96", "simulate.block_size=16", f"path={folder}/hits.cxi"]],
        "simulated_supports": [
            [
                *simulate,
                "simulate=macromolecule",
                structures,
                "patterns=24",
                f"path={folder}/supports.cxi",
                "simulate.block_size=8",
            ]
        ],
        "simulated_volumes": [
            [
                *simulate,
                "simulate=wu_particles",
                "patterns=4",
                f"path={folder}/volumes.h5",
                "simulate.size=16",
                "simulate.object_size=8",
                "simulate.block_size=4",
            ]
        ],
    }
    for name in (
        "shi_tiny_cnn",
        "han_resnet10",
        "han_five_classes",
        "han_cross_geometry",
        "demo_tiny_cnn",
        "demo_resnet10",
    ):
        parts[name] = [[*train, f"experiment={name}", *small, "hydra.run.dir={here}"]]
    for name in (
        "bellisario_support",
        "bellisario_literal",
        "bellisario_measured",
        "bellisario_density",
        "bellisario_healing",
        "bellisario_unet",
    ):
        parts[name] = [[*train, f"experiment={name}", structures, *small, "hydra.run.dir={here}"]]
    parts["wu_supervised"] = [[*train, "experiment=wu_supervised", *volumes, "hydra.run.dir={here}"]]
    parts["wu_untrained"] = [
        [
            *train,
            "experiment=wu_untrained",
            f"data.path={folder}/scan.h5",
            "data.size=[24,32,32]",
            "data.bin=1",
            "trainer.max_steps=4",
            "trainer.max_epochs=-1",
            "network.width=2",
            "network.levels=3",
            "hydra.run.dir={here}",
        ]
    ]
    parts["finetune"] = [
        [
            *train,
            "experiment=finetune",
            "checkpoint={shi_tiny_cnn}",
            f"data.path={folder}/hits.cxi",
            "trainer.max_steps=2",
            "trainer.max_epochs=-1",
            "hydra.run.dir={here}",
        ]
    ]
    parts["evaluated_hits"] = [
        [
            *evaluate,
            "data=hits",
            f"data.path={folder}/hits.cxi",
            cache,
            "hydra.run.dir={here}",
            "method=[{shi_tiny_cnn},photon_count,random_forest,diffusion_map]",
            "bootstrap.replicates=50",
        ]
    ]
    parts["evaluated_supports"] = [
        [
            *evaluate,
            "data=supports",
            f"data.path={folder}/supports.cxi",
            cache,
            "hydra.run.dir={here}",
            "method=[{bellisario_support},triple_intersection,double_intersection]",
        ]
    ]
    parts["evaluated_volumes"] = [
        [
            *evaluate,
            "data=volumes",
            f"data.path={folder}/volumes.h5",
            cache,
            "hydra.run.dir={here}",
            "method=[iterative,gradient,{wu_supervised}]",
            "volumes.first=1",
            "volumes.starts=2",
            "volumes.masks=1",
        ]
    ]
    parts["phased_plane"] = [
        [
            *phase,
            f"data.path={folder}/supports.cxi",
            "data.frame=3",
            "support=triple_intersection",
            "starts=3",
            "phasing.recipe=5*(20*HIO(0.9) + 5*ER)",
            "hydra.run.dir={here}",
        ]
    ]
    parts["phased_volume"] = [
        [
            *phase,
            "data=one_scan",
            f"data.path={folder}/scan.h5",
            "phasing=wu_iterative",
            "support=box",
            "starts=2",
            "polish_steps=20",
            "hydra.run.dir={here}",
        ]
    ]
    return parts


def fill(word: str, here: Path, folder: Path) -> str:
    """A word of a command with `{here}` and `{part}` replaced by folders."""
    return re.sub(r"\{(\w+)\}", lambda found: str(here if found[1] == "here" else folder / found[1]), word)


class Cells(HTMLParser):
    """Text of every cell of every table of a page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a cell at `td` or `th`."""
        if tag in ("td", "th"):
            self.inside = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data: str) -> None:
        """Add text to the cell that is open."""
        if self.inside:
            self.cells[-1] += data


def answers(folder: Path) -> dict[str, object]:
    """Everything that must stay, by file: metrics.json, predictions.csv, table cells of pages, hashes of weights."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.startswith(("cache/", "sets/", "structures/")):
            continue
        if path.name == "metrics.json":
            found[name] = dict(_flat(json.loads(path.read_text())))
        elif path.name == "predictions.csv":
            found[name] = path.read_text().splitlines()
        elif path.suffix == ".html":
            cells = Cells()
            cells.feed(path.read_text(encoding="utf-8"))
            found[name] = [cell.strip() for cell in cells.cells if not UNSTABLE.search(cell)]
        elif path.name == "last.ckpt":
            found[name] = _weights(path)
    anywhere: dict[str, object] = json.loads(json.dumps(found).replace(f"{folder.name}/", "record/"))
    return anywhere  # names of methods hold the folder


def _flat(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif not UNSTABLE.search(key):
        yield key, value


def _weights(path: Path) -> str:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(
            state[name].contiguous().flatten().view(torch.uint8).numpy().tobytes() if state[name].numel() else b""
        )
    return digest.hexdigest()


def write_scan(path: Path) -> None:
    """A rocking scan of a lopsided particle with a phase: counts (24, 32, 32), 1e4 photons at the peak."""
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in (24, 32, 32)), indexing="ij")
    inside = ((z / 4.2) ** 2 + (y / 5.1) ** 2 + (x / 3.4) ** 2 <= 1) & (z + y < 5)
    intensity = np.abs(np.fft.fftshift(np.fft.fftn(inside * np.exp(0.05j * (y - 2 * x) * z)))) ** 2
    counts = np.random.default_rng(5).poisson(1e4 * intensity / intensity.max()).astype(np.uint32)
    with h5py.File(path, "w") as file:
        file["entry/data/counts"] = counts


def record(folder: Path, only: list[str]) -> int:
    """Run the parts that are not there yet and write answers.json; the number of parts that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    from tests.apps.small_runs import structure_tables

    if not (folder / "structures").exists():
        structure_tables(folder / "structures")
        write_scan(folder / "scan.h5")
    failed = 0
    for name, commands in plan(folder).items():
        here, done = folder / name, folder / f"{name}.done"
        if done.exists() or (only and name not in only):
            continue
        for command in commands:
            words = [fill(word, here, folder) for word in command]
            run = subprocess.run(
                words,
                cwd=ROOT,
                env=dict(os.environ, OMP_NUM_THREADS="1", MPLBACKEND="Agg"),
                capture_output=True,
                text=True,
            )
            (folder / f"{name}.log").write_text(" ".join(words) + "\n" + run.stdout + run.stderr)
            if run.returncode:
                failed += 1
                print(f"{name}: {(run.stderr or run.stdout).strip().splitlines()[-1]}", flush=True)
                break
        else:
            done.touch()
            print(f"{name}: done", flush=True)
    (folder / "answers.json").write_text(json.dumps(answers(folder), indent=1))
    return failed


def differences(before: object, after: object, name: str = "") -> Iterator[str]:
    """One line for each value that is not the same; numbers agree to a relative 1e-6."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if key not in before or key not in after:
                yield f"{name}/{key}: only {'after' if key in after else 'before'}"
            else:
                yield from differences(before[key], after[key], f"{name}/{key}")
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{name}: {len(before)} values before, {len(after)} after"
        for position, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from differences(old, new, f"{name}[{position}]")
    elif isinstance(before, float) and isinstance(after, float):
        if not (math.isclose(before, after, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(before) and math.isnan(after))):
            yield f"{name}: {before} before, {after} after"
    elif before != after:
        yield f"{name}: {before} before, {after} after"


def main() -> None:
    """Record answers, or compare two records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of parts")
    arguments = parser.parse_args()
    if arguments.what == "record":
        sys.exit(min(record(arguments.folders[0].absolute(), arguments.only), 1))
    before, after = (json.loads((each / "answers.json").read_text()) for each in arguments.folders)
    lines = list(differences(before, after))
    print("\n".join(lines) or f"the same: {len(before)} files")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
