"""Doubts about the density of a network."""

import pytest
import torch
from hydra.utils import instantiate

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.physics.array import crop
from spi_lightning.physics.fourier import fourier
from spi_lightning.reconstruction import ReconstructionSettings, prepare, solve
from spi_lightning.reconstruction.network import doubts, starting_density, unexplained
from spi_lightning.reconstruction.settings import Phasing
from spi_lightning.reconstruction.support import starting_support
from spi_lightning.tasks import checkpoint_files
from spi_lightning.tasks.weights_file import write_weights
from tests.phasing.lopsided import lopsided


@pytest.mark.parametrize("counted", [False, True])
def test_a_start_whose_amplitudes_are_not_those_of_the_pattern_is_doubted(counted: bool) -> None:
    density = lopsided()
    amplitude = fourier(density, 2).abs()
    if counted:
        rate = 1e5 * amplitude.square() / amplitude.square().sum()
        amplitude = torch.poisson(rate, generator=torch.Generator().manual_seed(0)).sqrt()
    measured = Measurement(amplitude, torch.ones_like(amplitude, dtype=torch.bool))
    assert doubts("RUN", 3 * density, measured) == []
    assert unexplained(density, measured, counted) < 0.1
    (line,) = map(str, doubts("RUN", torch.roll(density, 5, 0) + density, measured))
    assert line.startswith("start=RUN: this density leaves a relative Fourier error of 0.")


def test_a_network_is_not_doubted_for_what_lies_outside_the_middle_that_it_saw() -> None:
    density = lopsided()
    amplitude, edge = fourier(density, 2).abs(), density.shape[-1] // 2
    middle = torch.zeros_like(amplitude, dtype=torch.bool)
    middle[edge // 2 : edge // 2 + edge, edge // 2 : edge // 2 + edge] = True
    wild = torch.where(middle, amplitude, amplitude.max() / 4)
    measured = Measurement(wild, torch.ones_like(middle))
    assert doubts("RUN", density, measured) and doubts("RUN", density, measured, edge) == []


def test_densities_of_the_caller_are_of_the_pattern_s_shape() -> None:
    amplitude = fourier(lopsided(), 2).abs()
    measured = Measurement(amplitude, torch.ones_like(amplitude, dtype=torch.bool))
    start, notes = starting_density(measured, ReconstructionSettings(starts=3, start=lopsided()), lopsided() > 0)
    assert start is not None and start.shape == (3, 48, 48) and not notes
    with pytest.raises(UserError, match=r"start: shape \(2, 48, 48\) is neither .* for each of 3 starts"):
        starting_density(measured, ReconstructionSettings(starts=3, start=start[:2]), lopsided() > 0)


def test_a_network_needs_something_that_builds_its_task(tmp_path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"PK")
    measured = Measurement(torch.ones(8, 8), torch.ones(8, 8, dtype=torch.bool))
    with pytest.raises(UserError, match=r"needs make_task=hydra\.utils\.instantiate"):
        starting_density(measured, ReconstructionSettings(start=str(tmp_path / "a.ckpt")), measured.mask)


VOLUMES = {
    "_target_": "spi_lightning.tasks.ComplexReconstruction",
    "network": {"_target_": "spi_lightning.networks.ComplexEncoderDecoder", "width": 2, "levels": 2},
    "loss": {"_target_": "spi_lightning.losses.SupervisedLoss"},
    "metrics": {"_target_": "spi_lightning.metrics.VolumeMetrics"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
}


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> str:
    """Name of an untrained network of 16 x 16 x 16 voxels, as weights that the package brings."""
    torch.manual_seed(0)
    monkeypatch.setattr(checkpoint_files, "WEIGHTS", tmp_path)
    config = {"task": VOLUMES, "simulate": {"size": 16}}
    write_weights(tmp_path / "small_volumes.safetensors", instantiate(VOLUMES).state_dict(), config)
    return "small_volumes"


@pytest.mark.parametrize("constraint", ["complex", "positive"])
@pytest.mark.parametrize("shape", [(16, 16, 16), (20, 16, 24)])
def test_a_volume_starts_from_the_network_of_a_name(shipped: str, shape: tuple[int, ...], constraint: str) -> None:
    amplitude = fourier(torch.rand(shape), 3).abs()
    measured = Measurement(amplitude, torch.ones(shape, dtype=torch.bool))
    settings = ReconstructionSettings(Phasing(constraint=constraint), start=shipped, starts=2, start_noise=0.0)
    start, notes = starting_density(measured, settings, measured.mask, instantiate)
    assert start is not None and start.shape == (2, *shape) and start.abs().sum() > 0
    assert torch.equal(start[0], start[1]) and len(notes) <= 1
    middle = crop(start[0], [edge // 2 for edge in shape])
    assert float(middle.abs().sum()) == pytest.approx(float(start[0].abs().sum()), rel=0.2)
    assert start.is_complex() == (constraint == "complex")


def test_a_volume_is_phased_from_a_network(shipped: str) -> None:
    density = torch.zeros(20, 18, 16, dtype=torch.complex64)
    density[8:13, 6:11, 5:10] = torch.polar(torch.rand(5, 5, 5) + 0.5, torch.rand(5, 5, 5))
    measured = Measurement(fourier(density, 3).abs(), torch.ones(20, 18, 16, dtype=torch.bool))
    settings = ReconstructionSettings(Phasing("10*ER + 10*HIO(0.9)"), start=shipped, starts=2, polish_steps=0)
    result = solve(prepare(measured, settings, instantiate))
    assert result.density.shape == (20, 18, 16) and bool(torch.isfinite(torch.view_as_real(result.density)).all())


def test_a_volume_smaller_than_the_network_is_refused(shipped: str) -> None:
    measured = Measurement(torch.ones(12, 16, 16), torch.ones(12, 16, 16, dtype=torch.bool))
    with pytest.raises(UserError, match=r"trained on 16 x 16 x 16 voxels and the pattern has 12 x 16 x 16: use a"):
        starting_density(measured, ReconstructionSettings(start=shipped), measured.mask, instantiate)


def test_weights_of_another_task_are_refused_as_a_start_and_as_a_support(shipped: str) -> None:
    measured = Measurement(torch.ones(16, 16), torch.ones(16, 16, dtype=torch.bool))
    with pytest.raises(UserError, match="ComplexReconstruction, where SupportPrediction is needed"):
        starting_density(measured, ReconstructionSettings(start=shipped), measured.mask, instantiate)
    with pytest.raises(UserError, match="ComplexReconstruction, where SupportPrediction is needed"):
        starting_support(measured, ReconstructionSettings(support=shipped), instantiate)
