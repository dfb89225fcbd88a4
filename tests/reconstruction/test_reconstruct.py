"""The view of a notebook: arrays and dataclasses in, a density out, no configuration files."""

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from spi_lightning.data import measurement
from spi_lightning.errors import UserError
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.phasing import alignment
from spi_lightning.physics import photons
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.photons import holds_counts
from spi_lightning.physics.twin import invert, is_canonical
from spi_lightning.reconstruction import (
    Measurement,
    Phasing,
    ReconstructionSettings,
    assess,
    reconstruct,
    silent,
    write_reconstruction,
)
from spi_lightning.results import PhasingResult, read
from tests.phasing.lopsided import lopsided


def counts() -> np.ndarray:
    """Photons (48, 48) of the lopsided particle."""
    rate = 2000 * fourier(lopsided(), 2).abs().square()
    return torch.poisson(rate, generator=torch.Generator().manual_seed(0)).numpy()


def test_an_array_of_photons_becomes_a_density(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.ones((48, 48), dtype=bool)
    mask[:3] = False
    measured = Measurement.from_intensity(counts(), mask)
    assert measured.photons and float(measured.fourier_amplitude[:3].max()) == 0
    settings = ReconstructionSettings(Phasing("4*(60*HIO(0.9) + 20*ER)"), starts=4, support=lopsided() > 0, seed=3)
    found = reconstruct(measured, settings, stages=silent)
    assert alignment(found.density[None], lopsided(), subpixel=True).overlap[0] > 0.95
    again = reconstruct(measured, settings, stages=silent)
    assert torch.equal(again.density, found.density)
    result, numbers = assess(found)
    assert numbers["kept"] == int(result.kept.sum()) >= 1 and result.about.support == "array"
    np.testing.assert_array_equal(result.density, found.density.numpy())
    _, written = write_reconstruction(tmp_path, found, "hits.cxi")
    stored = read(tmp_path)
    assert isinstance(stored, PhasingResult) and stored.about == replace(result.about, data="hits.cxi")
    assert stored.notes == result.notes and stored.truth is None
    np.testing.assert_array_equal(stored.starts, result.starts)
    assert written["fourier_error/best"] == numbers["fourier_error/best"]
    np.testing.assert_array_equal(read_cxi_image(tmp_path / "result.cxi").density, result.density)
    assert capsys.readouterr() == ("", "")


def test_a_pattern_is_tested_for_photon_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[torch.Size] = []

    def counting(fourier_amplitude: torch.Tensor) -> torch.Tensor:
        tested.append(fourier_amplitude.shape)
        return holds_counts(fourier_amplitude)

    for module in (photons, measurement):
        monkeypatch.setattr(module, "holds_counts", counting)
    settings = ReconstructionSettings(Phasing("6*ER"), starts=2, halves=True)
    reconstruct(Measurement.from_intensity(counts()), settings, stages=silent)
    assert tested == [(1, 48, 48)]


def test_stages_report_their_iterations() -> None:
    from contextlib import contextmanager

    visited: dict[str, list[int]] = {}

    @contextmanager
    def stages(title: str, iterations: int, error_name: str):
        steps = visited.setdefault(f"{title}, {iterations} iterations", [])
        yield lambda iteration, iterations, error: steps.append(iteration)

    settings = ReconstructionSettings(Phasing("6*ER"), starts=2, support="box", halves=True)
    found = reconstruct(Measurement.from_intensity(counts()), settings, stages=stages)
    assert list(visited) == [f"{name}, 6 iterations" for name in ("phasing", "half 1", "half 2")]
    assert all(steps == [1, 2, 3, 4, 5, 6] for steps in visited.values()) and found.halves is not None


def test_hydra_is_not_imported() -> None:
    code = "import sys, spi_lightning.reconstruction, spi_lightning.orientation; print('hydra' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("intensity", "mask", "words"),
    [
        (np.ones(5), None, r"intensity \(5,\)"),
        (np.ones((4, 4)), np.ones((4, 5)), r"mask \(4, 5\): give one pattern"),
        (-np.ones((4, 4)), None, "16 measured values are negative"),
    ],
)
def test_arrays_that_are_no_pattern_are_refused(intensity: np.ndarray, mask: np.ndarray | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Measurement.from_intensity(intensity, mask)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"starts": 0}, "starts=0: give a whole number, 1 or more"),
        ({"held_out": 0.7}, "held_out=0.7: give a number from 0 to 0.5"),
        ({"support_threshold": 0}, "support_threshold=0: give a number above 0"),
        (
            {"polish_steps": 5, "phasing": Phasing(constraint="real")},
            "polish_steps=5 would leave phasing.constraint=real",
        ),
        ({"point_spread": 3}, "point_spread=3: give pixels from 0"),
        ({"halves": "maybe"}, "halves=maybe: give true or false"),
    ],
)
def test_settings_are_checked_where_they_are_made(settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ReconstructionSettings(**settings)


def test_what_is_auto_is_chosen_by_the_kind_of_pattern_and_the_rest_is_kept() -> None:
    volume, plane = (ReconstructionSettings().for_kind(kind) for kind in ("crystal", "plane"))
    assert (volume.phasing.constraint, volume.support, volume.steps_of_polish(3)) == ("complex", "box", 200)
    assert (plane.phasing.constraint, plane.support, plane.steps_of_polish(2)) == ("positive", "autocorrelation", 0)
    mine = ReconstructionSettings(Phasing("6*ER", "positive"), support="circle")
    assert mine.for_kind("crystal") == mine and mine.chosen("crystal") == ""
    with pytest.raises(UserError, match="polish_steps=5 would leave"):
        ReconstructionSettings(polish_steps=5).for_kind("plane")


@pytest.mark.parametrize(
    ("name", "kind"), [("shrinkwrap", "plane"), ("cohere_S0054", "crystal"), ("shrinkwrap", "merged")]
)
def test_the_chosen_recipes_are_those_that_the_default_names(name: str, kind: str) -> None:
    conf = Path(__file__).parents[2] / "conf" / "phasing"
    assert name in (conf / "default.yaml").read_text()
    assert asdict(Phasing().for_kind(kind)) == OmegaConf.load(conf / f"{name}.yaml")


def test_settings_mirror_the_yaml() -> None:
    conf = Path(__file__).parents[2] / "conf"
    written = OmegaConf.to_container(OmegaConf.load(conf / "phase.yaml"))
    usual = asdict(ReconstructionSettings())
    assert isinstance(written, dict) and usual.pop("phasing") == OmegaConf.load(conf / "phasing" / "default.yaml")
    assert {name: written[name] for name in usual} == usual


def test_the_lines_of_the_guide_run() -> None:
    text = (Path(__file__).parents[2] / "docs" / "guide" / "supports.md").read_text()
    lines = next(block for block in text.split("```python\n")[1:] if "spi_lightning.reconstruction" in block)
    names: dict = {"photons": counts(), "mask": np.ones((48, 48), dtype=bool)}
    exec(lines.partition("```")[0], names)
    assert names["numbers"]["starts"] == 10 and names["result"].density.shape == (48, 48)


@pytest.mark.parametrize("constraint", ["positive", "complex"])
def test_every_seed_gives_the_canonical_twin(constraint: str) -> None:
    density = lopsided().to(torch.complex64)
    if constraint == "complex":
        y, x = torch.meshgrid(*[torch.arange(48) - 24.0] * 2, indexing="ij")
        density = density * torch.polar(torch.ones(48, 48), 0.02 * x.square() + 0.1 * y)
    pattern, inside = 1e4 * fourier(density, 2).abs().square(), lopsided() > 0
    found = []
    for seed in range(4):
        recipe = Phasing("4*(60*HIO(0.9) + 20*ER)", constraint)
        settings = ReconstructionSettings(recipe, starts=1, support=inside | invert(inside, 2), seed=seed)
        found.append(reconstruct(Measurement.from_intensity(pattern), settings, stages=silent).density)
    assert all(bool(is_canonical(each, 2)) for each in found)
    good = [each for each in found if alignment(each[None], density.to(each.dtype)).overlap[0] > 0.9]
    assert len(good) > 1 and not bool(alignment(torch.stack(good[1:]), good[0]).twin.any())
