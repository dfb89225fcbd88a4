import math

import pytest
import torch

from spi_lightning.metrics.volumes.volume_fit import spectral_weight, volume_fit, volume_truth
from spi_lightning.phasing import hold_out, translate
from spi_lightning.physics.agreement import predicted_amplitude
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.twin import twin


def particle(shape: tuple[int, int, int] = (4, 3, 5)) -> torch.Tensor:
    return torch.polar(torch.rand(shape, dtype=torch.float64) + 0.2, torch.rand(shape, dtype=torch.float64))


def whole(box: torch.Tensor, size: int = 14) -> torch.Tensor:
    array = torch.zeros(size, size, size, dtype=box.dtype)
    array[5 : 5 + box.shape[0], 6 : 6 + box.shape[1], 4 : 4 + box.shape[2]] = box
    return array


def test_a_density_fits_its_own_pattern_wherever_its_box_lies() -> None:
    box = particle()
    pattern = fourier(whole(box), 3).abs()
    torch.testing.assert_close(predicted_amplitude(box[None].to(torch.complex128), shape=pattern.shape)[0], pattern)
    fitted, held = hold_out(torch.ones_like(pattern, dtype=torch.bool), 0.1, 0, ndim=3, pairs=False)
    numbers = volume_fit(torch.stack([3 * box, particle()]), pattern, fitted, held)
    assert len(numbers) == 6
    for name, values in numbers.items():
        assert abs(float(values[0]) - ("correlation" in name)) < 1e-12  # whatever the scale
        assert abs(float(values[1]) - ("correlation" in name)) > 1e-3
    alone = volume_fit(box[None], pattern, fitted, torch.zeros_like(held))
    assert not any(name.startswith("held_out") for name in alone)


def test_the_spectral_weight_is_a_sum_over_shells() -> None:
    flat = torch.ones(8, 8, 8)
    frequency, weight = spectral_weight(flat)
    assert float(frequency[0]) == 0 and float(weight[0]) == 1 and float(weight[1]) == 18
    assert float(spectral_weight(flat, flat > 2)[1].sum()) == 0


def test_the_truth_is_found_through_shift_twin_phase_and_scale() -> None:
    # smooth, so that a shift by fractions of a voxel makes no ringing
    z, y, x = torch.meshgrid(*(torch.arange(14.0, dtype=torch.float64) - 7 for _ in range(3)), indexing="ij")
    truth = torch.polar(torch.exp(-(z**2 + 0.5 * (y - 0.5) ** 2 + 0.7 * x**2) / 4), 0.1 * z * y + 0.05 * x**2 + 0.1 * x)
    moved = translate(twin(truth, 3)[None], torch.tensor([[0.3, 1.0, -0.4]])) * 2 * torch.exp(torch.tensor(1j))
    found = volume_truth(moved, truth)
    assert float(found["density_error"][0]) < 1e-3 and float(found["phase_rms"][0]) < 1e-3
    assert float(found["amplitude_correlation"][0]) == pytest.approx(1, abs=1e-4)
    flat = volume_truth(truth.abs().to(truth.dtype)[None], truth)
    assert float(flat["amplitude_correlation"][0]) > 0.999 and math.degrees(float(flat["phase_rms"][0])) > 3
