"""A run folder of an evaluation as evaluate.py leaves it, without any network having run."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.reports import choose_frames
from spi_lightning.results.hits import Gallery

STRANGE = "<script>alert('x')</script> & Co"


@pytest.fixture(scope="session")
def make_evaluation(tmp_path_factory) -> Callable[..., Path]:
    """make_evaluation(count, label=None | array, methods=..., features=...) -> run folder."""

    def make(count: int = 40, label: np.ndarray | None = None, methods: int = 1, features: int = 3) -> Path:
        random = np.random.default_rng(0)
        run = tmp_path_factory.mktemp("run")
        truth = np.arange(count) % 2 if label is None else np.maximum(label, 0)
        names = [f"seed_{i}" for i in range(methods)] + (["ensemble"] if methods > 1 else [])
        with h5py.File(run / "predictions.h5", "w") as file:
            file.attrs.update(name=names[-1], threshold=0.5, abstain_within=0.1)
            file["excluded"] = np.arange(count) < 2
            for number, name in enumerate([names[-1], *names[:methods]]):
                group = file if number == 0 else file.create_group(f"methods/{number - 1}")
                probability = 1 / (1 + np.exp(-(3 * truth - 1.5 + random.normal(size=count)))).astype(np.float32)
                group.attrs["name"] = name
                group["frame"], group["score"], group["probability"] = np.arange(count), probability, probability
                group["decision"] = (probability >= 0.5).astype(np.int64)
                group["abstain"] = abs(probability - 0.5) < 0.1
                if features:
                    group["features"] = random.normal(size=(count, features)).astype(np.float32)
            decision, probability = file["decision"][()], file["probability"][()]
            file["columns/photons"] = random.integers(100, 10_000, count)
            file["columns/diameter_nm"] = np.where(np.arange(count) % 5, 60.0, np.nan)
            if label is not None:
                file["labels/is_single_hit"] = label
                file["labels/kind"] = np.where(label == 1, 0, np.where(label == 0, 5, -1))
        frames = choose_frames(probability, decision, label, count=2)
        kept = np.unique(np.concatenate(list(frames.values())))
        mask = np.ones((16, 20), dtype=bool)
        mask[8] = False
        photons = random.poisson(2.0, (len(kept), 16, 20)).astype(np.float32)
        Gallery(frames, kept, photons, mask, np.full((len(kept), 2), 7.5, np.float32), 1).write(run / "gallery.h5")
        numbers = {"test/accuracy": 0.9, "test/accuracy/low": 0.8, "test/accuracy/high": 1.0, "test/frames": count}
        numbers |= {name.replace("test/", "test_kept/"): value for name, value in numbers.items()}
        metrics = {**numbers, "methods": dict.fromkeys(names, numbers), "spread": {}} if label is not None else {}
        if methods > 1 and label is not None:
            metrics["spread"] = {"test/accuracy/mean": 0.9, "test/accuracy/std": 0.01}
        (run / "metrics.json").write_text(json.dumps(metrics))
        about = {
            "path": "data.h5",
            "format": "HDF5",
            "shape": [count, 16, 20],
            "notes": [["NOTE", "", STRANGE]],
            "methods": {name: {"checkpoint": f"runs/{STRANGE}", "seconds": 1.0} for name in names[:methods]},
            "selection": {"frames": 3, "files": ["selection/index.txt"]},
            "command": "evaluate.py checkpoint=run",
        }
        (run / "evaluation.json").write_text(json.dumps(about))
        (run / "config.yaml").write_text(f"name: {STRANGE}\n")
        (run / "versions.json").write_text(json.dumps({"python": "3.11", "packages": {"torch": "2.13"}}))
        return run

    return make
