"""The handed files that went wrong once: right value or one line. The folder beside the checkout makes them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases import verdict
from tests.cases.commands import ROOT, Commands, Outcome

MAKERS = Path(os.environ.get("SPI_CASES", ROOT.parent / "shared" / "cases"))
RENAMED = Path(__file__).with_name("renamed.json")
HITS = ("report.occlusion=0", "report.gallery=64", "bootstrap.replicates=10")
MACROMOLECULES = (
    "simulate=macromolecule_diffraction", "patterns=2", "seed=1", "simulate.block_size=2", "simulate.photons=false",
    "simulate.experiment.shape=[64,64]", "simulate.experiment.pixel_size=3.2e-3", "simulate.bin=1", "examples=0",
)  # fmt: skip
SIMULATED_HITS = (
    "simulate=hits", "patterns=2", "seed=1", "simulate.block_size=2", "simulate.shape=[48,64]", "simulate.samples=12",
    "simulate.bad_pixels.hole=[0,0]", "simulate.bad_pixels.gap=[0,0]", "simulate.bad_pixels.shift=0", "examples=0",
)  # fmt: skip


def table() -> dict[str, list[dict[str, Any]]]:
    """Names and expectations of all cases, without making a file; empty where the makers are absent."""
    if not (MAKERS / "spi_cases.py").is_file():
        return {}
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import spi_cases, cdi_cases; "
        "print(json.dumps({'spi': spi_cases.CASES, 'cdi': cdi_cases.CASES}))"
    )
    output = subprocess.run([sys.executable, "-c", script, str(MAKERS)], capture_output=True, text=True, check=True)
    return dict(json.loads(output.stdout))


CASES = table()
pytestmark = pytest.mark.skipif(not CASES, reason=f"no cases in {MAKERS}; set SPI_CASES")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(MAKERS / "make_cases.py"), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with Commands() as running:
        yield running


def renamed(words: list[str]) -> list[str]:
    """Words of a command with today's names of keys."""
    names = dict(json.loads(RENAMED.read_text())) if RENAMED.is_file() else {}
    found = []
    for word in words:
        key, equals, value = word.partition("=")
        found.append(
            f"{key[: len(key) - len(key.lstrip('+'))]}{names.get(key.lstrip('+'), key.lstrip('+'))}{equals}{value}"
        )
    return found


def quoted(path: str) -> str:
    """A path in Hydra's quotes."""
    return "'" + path.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Hits:
    """Runs one case of hits or structures and judges it."""

    def __init__(self, case: dict[str, Any], root: Path, out: Path, commands: Commands) -> None:
        self.case, self.root, self.out, self.commands = case, root, out, commands
        self.here = root / case["files"][0].split("/")[0]
        self.input = root / case["files"][0]

    def words(self, words: list[str]) -> list[str]:
        return renamed([word.replace("{here}", str(self.here)) for word in words])

    def evaluate(self, words: list[str], out: Path, cache: str, path: str | None = None) -> Outcome:
        path = path or self.case.get("path", str(self.input)).replace("{here}", str(self.here))
        value = path if self.case.get("plain_word") or path.startswith("[") else quoted(path)
        command = ["evaluate", "data=hits", f"data.path={value}", "method=[photon_count]", *HITS, f"cache={cache}"]
        return self.commands.run([*command, f"hydra.run.dir={out}", *self.words(words)], self.out, out)

    def simulate(self, settings: tuple[str, ...], structure: Path | None, out: Path) -> Outcome:
        path = [] if structure is None else [f"simulate.structures.path={quoted(str(structure))}"]
        words = ["simulate", *settings, *path, f"path={out}", *self.words(self.case["words"])]
        return self.commands.run(words, self.out, out)

    def run(self) -> Outcome:
        command = self.case.get("command", "evaluate")
        if command == "simulate":
            return self.simulate(MACROMOLECULES, self.input, self.out / "set.cxi")
        if command == "simulate_hits":
            return self.simulate(SIMULATED_HITS, None, self.out / "set.cxi")
        if command == "cache":
            return self.cached()
        return self.evaluate(self.case["words"], self.out / "run", "null")

    def cached(self) -> Outcome:
        kept = str(self.out / "kept")
        self.evaluate(self.case["first"], self.out / "first", kept)
        for new, old, keep_time in self.case.get("change", []):
            source, target = self.here / new, self.here / old
            times = target.stat()
            target.write_bytes(source.read_bytes())
            if keep_time:
                os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        then = self.case.get("then_path")
        then = None if then is None else then.replace("{here}", str(self.here))
        self.evaluate(self.case["words"], self.out / "fresh", "null", then)
        return self.evaluate(self.case["words"], self.out / "second", kept, then)

    def console(self, outcome: Outcome) -> str:
        return outcome.console.replace(str(self.here), "").replace(str(self.here.relative_to(self.root)), "")

    def fresh(self, outcome: Outcome, _: bool) -> list[str]:
        other = Outcome(0, "", self.out / "fresh")
        same = verdict.predictions(outcome) == verdict.predictions(other)
        return [] if same else ["not the answers without a cache"]

    def same_as(self, outcome: Outcome, name: str) -> list[str]:
        other = self.simulate(MACROMOLECULES, self.here / name, self.out / "other.cxi")
        return verdict.same_photons(outcome, other.out)

    def faults(self) -> list[str]:
        outcome = self.run()
        checks = {
            "line": lambda o, v: verdict.matches(self.console(Outcome(0, o.last, o.out)), v, "line"),
            "no_line": lambda o, v: verdict.lacks(self.console(Outcome(0, o.last, o.out)), v, "line"),
            "note": lambda o, v: verdict.matches(self.console(o), v, "console"),
            "no_note": lambda o, v: verdict.lacks(self.console(o), v, "console"),
            "frames": lambda o, v: verdict.equal(len(verdict.predictions(o)), v, "frames"),
            "photons_total": verdict.photons_total,
            "masked": verdict.masked,
            "labels": lambda o, v: verdict.equal(
                [float(r["is_single_hit"]) for r in verdict.predictions(o)], v, "labels"
            ),
            "distance_m": lambda o, v: verdict.selected(o, "detector_1/distance", v),
            "pixel_m": lambda o, v: verdict.selected(o, "detector_1/x_pixel_size", v),
            "energy_ev": lambda o, v: verdict.selected(o, "source_1/energy", v, 1 / 1.602176634e-19),
            "same_as": self.same_as,
            "fresh": self.fresh,
        }
        expect = self.case["expect"]
        ways = expect.get("either", [expect])
        faults = verdict.never_right(outcome) + verdict.best_of(verdict.holds(outcome, way, checks) for way in ways)
        return [*faults, self.console(outcome)[-1500:]] if faults else []


@pytest.mark.parametrize("case", CASES.get("spi", []), ids=lambda case: str(case["name"]))
def test_hits(case: dict[str, Any], files: Path, commands: Commands, tmp_path: Path) -> None:
    faults = Hits(case, files / "spi", tmp_path, commands).faults()
    assert not faults, case["right"] + "\n" + "\n".join(faults)


def agreement(name: str, outcome: Outcome) -> dict[str, float]:
    """Strain and amplitude of laboratory.npz against the crystal's, by the makers' own judge."""
    sys.path.insert(0, str(MAKERS))
    try:
        import cdi_cases
    finally:
        sys.path.remove(str(MAKERS))
    return dict(cdi_cases.agreement(outcome.out / "laboratory.npz", cdi_cases.truth(name)))


def least(name: str, key: str, outcome: Outcome, limit: float) -> list[str]:
    """A number of agreement that must be at least the limit (rms: at most)."""
    found = agreement(name, outcome)[key]
    right = found <= limit if key == "rms" else found >= limit
    return [] if right else [f"{key} is {found:.3g}, limit {limit:.3g}"]


def peak(outcome: Outcome, voxel: list[int]) -> list[str]:
    """The console names the peak's voxel."""
    numbers = r"\D{1,3}".join(rf"\b{n}\b" for n in voxel)
    return verdict.matches(outcome.console, numbers, "peak")


@pytest.mark.parametrize("case", CASES.get("cdi", []), ids=lambda case: str(case["name"]))
def test_scans(case: dict[str, Any], files: Path, commands: Commands, tmp_path: Path) -> None:
    name, out = case["name"], tmp_path / "run"
    words = ["phase", *renamed(case["words"]), f"hydra.run.dir={out}"]
    outcome = commands.run(words, files / "cdi", out)
    message = re.sub(rf"\S*{re.escape(name)}\S*", "", outcome.console)
    checks = {
        "note": lambda o, v: verdict.matches(message, v, "console"),
        "absent": lambda o, v: verdict.lacks(message, v, "console"),
        "peak": peak,
        "unmeasured": verdict.unmeasured,
        "unmeasured_share_max": lambda o, v: (
            [] if (share := 1 - verdict.phasing_file(o, "mask").mean()) <= v else [f"{share:.3f} not measured"]
        ),
        "voxel_nm": lambda o, v: verdict.equal(
            1e9 * np.atleast_1d(verdict.phasing_file(o, "pixel"))[-len(v) :], v, "voxel", 4e-3
        ),
        "q_inv_angstrom": lambda o, v: verdict.equal(
            verdict.laboratory(o).get("q_inv_angstrom", np.nan), v, "|Q|", 3e-4
        ),
        "step_deg": partial(verdict.geometry_number, key="step", pattern=r"rocking\W+([+-][\d.e-]+)(°) per frame"),
        "distance_m": partial(verdict.geometry_number, key="distance", pattern=r"distance ([\d.e-]+) (m)"),
        "pixel_m": partial(verdict.geometry_number, key="pixel", pattern=r"pixel ([\d.e-]+) (µm)"),
        "energy_ev": partial(verdict.geometry_number, key="energy", pattern=r"energy\W+([\d.e-]+) (eV)"),
        "no_laboratory": lambda o, _: ["laboratory.npz"] if (o.out / "laboratory.npz").exists() else [],
        "metrics": verdict.metrics,
        "resolution_axes": verdict.resolution_axes,
        "strain_rms_max": lambda o, v: least(name, "rms", o, v),
        "truth_correlation_min": lambda o, v: least(name, "correlation", o, v),
    }
    for key in ("step_deg", "distance_m", "pixel_m", "energy_ev"):
        checks[key] = lambda o, v, check=checks[key]: check(o, value=v)
    ways = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    faults = verdict.never_right(outcome) + verdict.best_of(verdict.holds(outcome, way, checks) for way in ways)
    assert not faults, case["right"] + "\n" + "\n".join([*faults, message[-1500:]])
