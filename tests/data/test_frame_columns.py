import numpy as np
import torch

from spi_lightning.data import frame_columns
from spi_lightning.data.frame_columns import measure_frames
from spi_lightning.physics.frames.beam_centre import BeamCentre


def test_columns_of_bright_and_faint_rings(make_file) -> None:
    patterns = make_file(12)
    columns = measure_frames(patterns)
    np.testing.assert_allclose(columns["photons"], patterns.read(np.arange(12)).sum(axis=(1, 2)))
    bright = patterns.labels["is_single_hit"] == 1
    assert columns["is_hit"][bright].all()
    assert (columns["photons"][bright].min() > columns["photons"][~bright].max()).all()
    np.testing.assert_allclose(columns["beam_row"][bright], 11.5, atol=0.7)
    np.testing.assert_allclose(columns["beam_column"][bright], 11.5, atol=0.7)
    assert "diameter_nm" not in columns


def test_frames_are_measured_by_bytes_and_not_by_number(make_file, monkeypatch) -> None:
    taken = []

    def found(photons: torch.Tensor, mask: torch.Tensor, guess: torch.Tensor) -> BeamCentre:
        taken.append(photons.nbytes)
        return BeamCentre(guess, guess[:, 0])

    monkeypatch.setattr(frame_columns, "find_beam_centre", found)
    columns = measure_frames(make_file(16, edge=512))  # 16 MB of photons as float32
    assert max(taken) <= 8 << 20 and sum(taken) == 16 << 20
    assert len(columns["photons"]) == 16


def test_real_single_hits_have_the_size_of_the_virus(spi_data) -> None:
    from spi_lightning.io import open_patterns

    patterns = open_patterns(spi_data / "spi" / "pr772_dev.h5", mask_convention="bad")
    columns = measure_frames(patterns)
    single = patterns.labels["is_single_hit"] == 1
    assert 55 < np.nanmedian(columns["diameter_nm"][single]) < 70
    assert np.abs(np.nanmedian(columns["beam_row"]) - 63.5) < 0.5


def test_a_frame_of_another_energy_has_its_size_scaled(make_file) -> None:
    patterns = make_file(6)
    energy = np.array([1500.0, 1500.0, 1500.0, 750.0, 1500.0, 1500.0])
    patterns.geometry.update(distance=0.5, pixel_size=1e-3, photon_energy=1500.0)
    usual = measure_frames(patterns)["diameter_nm"]
    patterns.geometry["photon_energy"] = energy
    varied = measure_frames(patterns)["diameter_nm"]
    assert np.isfinite(usual[3])
    np.testing.assert_allclose(varied[3], 2 * usual[3], rtol=1e-5)
    np.testing.assert_allclose(varied[1], usual[1], rtol=1e-5)
