"""Methods compared on arrays: parts of the question, answers that are kept, and the result file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from spi_lightning import codec
from spi_lightning.data.scans.volume_patterns import VolumePatterns
from spi_lightning.errors import UserError
from spi_lightning.evaluation.volumes import VolumeQuestion, VolumeSettings, compare_volumes
from spi_lightning.fingerprint import Irrelevant, fingerprint
from spi_lightning.methods import IterativeVolume
from spi_lightning.notes import Level, Note
from spi_lightning.physics.fourier import fourier
from spi_lightning.progress import Listener
from spi_lightning.results import read
from spi_lightning.results.volume_answer import Trace, VolumePart, VolumeRuns
from spi_lightning.results.volumes import VOLUMES_FILE


@dataclass(frozen=True)
class Constant:
    """Repeats one density, on every start the worse."""

    unit: ClassVar[str] = "step"
    density: Tensor
    name: Irrelevant[str] = "constant"
    parts: Irrelevant[list[VolumePart]] = field(default_factory=list)

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        self.parts.append(part)
        listener.note(Note.of("no step was taken"))
        noise = 0.01 * torch.arange(part.starts)[:, None, None, None] * torch.eye(4)
        trace = Trace()
        trace.add(1, torch.linspace(0.1, 0.2, part.starts))
        return VolumeRuns.of(self.density + noise, trace)


@dataclass(frozen=True)
class Unable:
    """Refuses every pattern."""

    unit: ClassVar[str] = "step"
    name: Irrelevant[str] = "unable"

    def answer(self, part: VolumePart, listener: Listener) -> VolumeRuns:
        raise UserError("unable: its box is too small")


@pytest.fixture
def particle() -> Tensor:
    return torch.rand(4, 4, 4, generator=torch.Generator().manual_seed(0)) * torch.exp(0.4j * torch.arange(4.0))


@pytest.fixture
def counts(particle: Tensor) -> Tensor:
    """Photons of the particle, (8, 8, 8)."""
    padded = torch.zeros(8, 8, 8, dtype=torch.complex64)
    padded[2:6, 2:6, 2:6] = particle
    expected = 1e3 * fourier(padded, 3).abs().square()
    return torch.poisson(expected, generator=torch.Generator().manual_seed(1))


def test_parts_are_draws_and_halves_in_order_and_hide_what_is_held_out(counts: Tensor) -> None:
    amplitude, mask = counts.sqrt()[None], torch.ones(1, 8, 8, 8, dtype=torch.bool)
    settings = VolumeSettings(starts=2, masks=2, held_out=0.2, halves=1, seed=7)
    patterns = VolumePatterns("", "array", ("one",), amplitude, mask)
    parts = VolumeQuestion(patterns, settings).parts()
    assert [(part.draw, part.half, part.starts, part.seed) for part in parts] == [
        (0, None, 2, 7),
        (1, None, 2, 1007),
        (0, 0, 1, 7),
        (0, 1, 1, 7),
    ]
    torch.testing.assert_close(sum(part.fourier_amplitude.square() for part in parts[2:]), counts)
    assert 0.1 < (~parts[0].mask).float().mean() < 0.3 and (parts[0].mask != parts[1].mask).any()
    other = torch.where(parts[0].mask, amplitude[0], 99.0)[None]
    changed = VolumeQuestion(VolumePatterns("", "array", ("other",), other, mask), settings).parts()[0]
    assert fingerprint(changed) == fingerprint(parts[0]) != fingerprint(parts[1])


def test_noise_free_patterns_have_no_halves_and_are_phased_in_float64(counts: Tensor) -> None:
    mask = torch.ones(1, 8, 8, 8, dtype=torch.bool)
    patterns = VolumePatterns("", "array", ("one",), counts.sqrt()[None], mask, counted=False)
    question = VolumeQuestion(patterns, VolumeSettings(masks=3, held_out=0.0, halves=2))
    (part,) = question.parts()
    assert part.float64 and part.mask.all() and question.settings.halves == 0


def test_methods_are_compared_and_their_answers_kept(counts: Tensor, particle: Tensor, tmp_path: Path) -> None:
    truth = torch.zeros(8, 8, 8, dtype=torch.complex64)
    truth[2:6, 2:6, 2:6] = particle
    methods = [Constant(particle), Unable(), IterativeVolume("10*HIO(0.9) + 10*ER", device="cpu")]
    settings = VolumeSettings(starts=2, masks=2, halves=1, levels=(0.15, 0.01), gallery=1)
    compared = compare_volumes(counts.sqrt(), methods, truth=truth, settings=settings, cache=tmp_path / "cache")
    numbers = compared.metrics["methods"]
    assert list(numbers) == ["constant", "iterative"] and compared.metrics["agreement"]["methods"] == list(numbers)
    assert numbers["constant"]["runs"] == 4 and numbers["constant"]["density_error/min"] < 1e-3
    assert numbers["constant"]["chi_square"] < numbers["iterative"]["chi_square"]
    assert {"fsc/half_bit", "held_out_chi_square"} <= numbers["iterative"].keys()
    assert [note.text for note in compared.notes if note.level is Level.WARNING] == [
        "unable is left out: its box is too small"
    ]
    assert Note.of("no step was taken", "constant") in compared.notes

    again = compare_volumes(
        counts.sqrt(), [Constant(particle, "renamed")], truth=truth, settings=settings, cache=tmp_path / "cache"
    )
    assert again.metrics["methods"]["renamed"] == numbers["constant"]
    assert all(draw.kept for draw in again.methods[0].all_draws)
    assert Note.of("no step was taken", "renamed") in again.notes

    codec.save(tmp_path / VOLUMES_FILE, compared.result(command="test"))
    result = read(tmp_path)
    assert result.names == ["constant", "iterative"] and result.about.held_out_voxels[0][0] > 0
    first = result.methods[0]
    assert (first.unit, first.answers, first.kept) == ("step", 2, 0) and first.numbers["chi_square"].shape == (1, 2, 2)
    assert result.methods[1].settings["recipe"] == "10*HIO(0.9) + 10*ER"
    displayed = result.patterns[0]
    np.testing.assert_array_equal(displayed.mask, np.ones((8, 8, 8), dtype=bool))
    assert displayed.methods[0].best.dtype == np.complex64 and displayed.methods[0].kept >= 1


def test_where_no_method_can_answer_the_first_says_why(counts: Tensor) -> None:
    with pytest.raises(UserError, match="unable: its box is too small"):
        compare_volumes(counts.sqrt(), [Unable()])


def test_densities_that_are_no_numbers_are_refused(counts: Tensor, particle: Tensor) -> None:
    with pytest.raises(UserError, match=r"constant gives NaN in density .*; lower its learning rate"):
        compare_volumes(counts.sqrt(), [Constant(particle * torch.nan)])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"starts": 0}, "volumes.starts=0"),
        ({"held_out": 0.5}, "volumes.held_out=0.5"),
        ({"levels": ()}, "volumes.levels"),
    ],
)
def test_settings_out_of_range_are_one_line(setting, message: str) -> None:
    with pytest.raises(UserError, match=message):
        VolumeSettings(**setting)
