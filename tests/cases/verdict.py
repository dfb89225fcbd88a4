"""What must hold of an outcome, key by key of a case's `expect`: functions that return faults, none where right."""

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.cases.commands import Outcome

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
COLOURS_OF_BARS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def never_right(outcome: Outcome) -> list[str]:
    """Faults whatever is expected: traceback, crash, hang, control characters, an error line though all is well."""
    faults = []
    if "Traceback (most recent call last)" in outcome.console:
        faults.append("traceback")
    if outcome.status == 124 or outcome.status < 0 or outcome.status > 128:
        faults.append(f"hang or crash: status {outcome.status}")
    plain = COLOURS_OF_BARS.sub("", outcome.console)
    if CONTROL.search(plain):
        faults.append(f"control character {CONTROL.search(plain)!r}")
    if outcome.status == 0 and re.search(r"^error:", plain, re.MULTILINE):
        faults.append("an error line though the status is 0")
    predictions = outcome.out / "predictions.csv"
    if predictions.is_file() and re.search(r"\binf\b", predictions.read_text()):
        faults.append("infinite numbers in predictions.csv")
    return faults


def refused(outcome: Outcome, may_write: bool = False) -> list[str]:
    """Faults of a refusal: its status, its last line, and that nothing was written."""
    faults = []
    if outcome.status == 0:
        faults.append("not refused")
    if not outcome.last.startswith("error: "):
        faults.append(f"the last line is not an error: {outcome.last!r}")
    written = [name for name in outcome.written() if not (may_write and name in ("config.yaml", "versions.json"))]
    if written:
        faults.append(f"wrote {written}")
    return faults


def holds(
    outcome: Outcome, expect: dict[str, Any], checks: dict[str, Callable[[Outcome, Any], list[str]]]
) -> list[str]:
    """Faults of one way of being right."""
    if expect.get("refused"):
        faults = refused(outcome, bool(expect.get("may_write")))
    else:
        faults = [] if outcome.status == 0 else [f"status {outcome.status}: {outcome.last}"]
    for key, value in expect.items():
        if key not in ("refused", "may_write") and not (faults and outcome.status):
            faults += checks[key](outcome, value)
    return faults


def best_of(ways: Iterable[list[str]]) -> list[str]:
    """No fault where one way has none; else the faults of all."""
    every = list(ways)
    return [] if any(not faults for faults in every) else [" / ".join(faults) for faults in every]


def matches(text: str, pattern: str, name: str) -> list[str]:
    """A regular expression that must be found."""
    return [] if re.search(pattern, text, re.IGNORECASE) else [f"{name}: nothing matches {pattern!r}"]


def lacks(text: str, pattern: str, name: str) -> list[str]:
    """A regular expression that must not be found."""
    found = re.search(pattern, text, re.IGNORECASE)
    return [f"{name}: {found[0]!r} matches {pattern!r}"] if found else []


def predictions(outcome: Outcome) -> list[dict[str, str]]:
    """Rows of predictions.csv."""
    with (outcome.out / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(outcome: Outcome, name: str) -> list[float]:
    """A column of predictions.csv; NaN where it is empty or absent."""
    return [float(row.get(name) or "nan") for row in predictions(outcome)]


def equal(found: Any, value: Any, name: str, within: float = 0.0) -> list[str]:
    """Numbers equal, relatively within."""
    found = np.asarray(found, float)
    if found.shape != np.shape(value) or not np.allclose(found, np.asarray(value, float), rtol=within, atol=0):
        return [f"{name}: {found.tolist()} instead of {value}"]
    return []


def photons_total(outcome: Outcome, value: Any) -> list[str]:
    """Photons of each frame, or of all."""
    photons = column(outcome, "photons")
    return equal(photons if isinstance(value, list) else sum(photons), value, "photons", 1e-6)


def masked(outcome: Outcome, value: int) -> list[str]:
    """Pixels that are not measured, in each frame of the gallery or in a simulated set."""
    if outcome.out.is_file():
        with h5py.File(outcome.out) as file:
            mask = file["entry_1/instrument_1/detector_1/mask"][()]
        return equal(np.count_nonzero(mask, axis=(-2, -1)).ravel(), [value] * int(np.prod(mask.shape[:-2])), "masked")
    with h5py.File(outcome.out / "gallery.h5") as file:
        mask = file["mask"][()].astype(bool)
    return equal((~mask).sum((-2, -1)).ravel(), [value] * int(np.prod(mask.shape[:-2])), "masked")


def selected(outcome: Outcome, key: str, value: float | None, factor: float = 1.0) -> list[str]:
    """A number of the geometry in selection/selected.cxi."""
    path = outcome.out / "selection" / "selected.cxi"
    if not path.is_file():
        return [f"no {path.name}"]
    with h5py.File(path) as file:
        item = file.get(f"entry_1/instrument_1/{key}")
        found = None if item is None else float(np.ravel(item[()])[0]) * factor
    if value is None or found is None:
        return [] if value is found else [f"{key}: {found} instead of {value}"]
    return equal(found, value, key, 1e-4)


def phasing_file(outcome: Outcome, name: str) -> Any:
    """A data set of phasing.h5."""
    with h5py.File(outcome.out / "phasing.h5") as file:
        return file[name][()]


def unmeasured(outcome: Outcome, span: list[int]) -> list[str]:
    """Voxels of the prepared pattern that are not measured, from and to."""
    count = int((~phasing_file(outcome, "mask").astype(bool)).sum())
    return [] if span[0] <= count <= span[1] else [f"{count} voxels are not measured, not {span}"]


def laboratory(outcome: Outcome) -> dict[str, Any]:
    """Geometry text and numbers of laboratory.npz; empty where there is none."""
    path = outcome.out / "laboratory.npz"
    if not path.is_file():
        return {}
    with np.load(path) as file:
        return {
            "q_inv_angstrom": float(np.linalg.norm(file["Q_rad_per_m"])) * 1e-10,
            "words": json.loads(str(file["geometry"])),
        }


def geometry_number(outcome: Outcome, key: str, pattern: str, value: float) -> list[str]:
    """A number in the words of laboratory.npz, within 0.2 %."""
    words = laboratory(outcome).get("words", {})
    found = re.search(pattern, json.dumps(words, ensure_ascii=False))
    if found is None:
        return [f"{key}: not in {words}"]
    scale = {"m": 1.0, "µm": 1e-6, "eV": 1.0, "°": 1.0}[found[2]]
    return equal(abs(float(found[1])) * scale, value, key, 2e-3)


def metrics(outcome: Outcome, spans: dict[str, list[float]]) -> list[str]:
    """Numbers of metrics.json within spans; null and absent are right."""
    found = {key: outcome.metrics().get(key) for key in spans}
    return [
        f"{key}: {found[key]} is not within {span}"
        for key, span in spans.items()
        if found[key] is not None and not span[0] <= found[key] <= span[1]
    ]


def resolution_axes(outcome: Outcome, count: int) -> list[str]:
    """Resolution in nm along so many axes, in metrics.json or on the console."""
    numbers = [v for key, v in outcome.metrics().items() if "resolution" in key]
    notes = sum(len(v) if isinstance(v, list) else 1 for v in numbers if v is not None)
    pattern = rf"resolution[^\n]*?(\d[\d.]*( ?[x×,] ?|[^\d\n]{{1,30}})){{{count}}}"
    line = re.search(pattern, outcome.console, re.IGNORECASE)
    return [] if notes >= count or line else [f"{notes} resolutions in metrics.json, none on the console"]


def same_photons(outcome: Outcome, other: Path) -> list[str]:
    """Expected photons of two simulated sets agree to 0.2 %."""
    totals = []
    for path in (outcome.out, other):
        with h5py.File(path) as file:
            totals.append(float(np.sum(file["entry_1/instrument_1/detector_1/data"][()], dtype=float)))
    return equal(totals[0], totals[1], "photons", 2e-3)
