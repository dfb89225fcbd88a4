import re

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.one_frame import measure_frame
from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude


def pattern(size: int, centre: tuple[float, float]) -> np.ndarray:
    """Intensity of a lopsided real object whose transform's origin lies at a fractional pixel."""
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(*(torch.arange(size, dtype=torch.float64),) * 2, indexing="ij")
    points = torch.rand(12, 2, generator=generator, dtype=torch.float64) * 8 - 4
    phase = (y - centre[0])[..., None] * points[:, 0] + (x - centre[1])[..., None] * points[:, 1]
    return (torch.exp(-2j * torch.pi * phase / size).sum(-1).abs() ** 2 * 50).round().numpy()


def write(path, photons: np.ndarray) -> str:
    with h5py.File(path, "w") as file:
        file["photons"] = photons[None].astype(np.float32)
    return str(path)


@pytest.mark.parametrize("centre", [(31.0, 33.0), (29.0, 30.0)])
def test_the_beam_moves_to_the_middle(tmp_path, centre) -> None:
    path = write(tmp_path / "a.h5", pattern(64, centre))
    made = measure_frame(path, PatternKeys(photons="photons"))
    amplitude = made.fourier_amplitude
    n = amplitude.shape[0]
    assert n % 2 == 0 and n >= 56
    inner = amplitude[1:, 1:]
    torch.testing.assert_close(inner, inner.flip(0, 1), atol=1e-3, rtol=1e-3)
    found, kept = map(str, made.notes[-2:])
    assert "found by symmetry" in found and f"{centre[0]:.2f}" in found
    assert kept.startswith(f"kept {n} x {n} of 64 x 64 pixels around row {centre[0]:.2f}, column")


def test_binning_keeps_the_middle_and_the_photons(tmp_path) -> None:
    photons = pattern(64, (31.5, 31.5))
    path = write(tmp_path / "a.h5", photons)
    made = measure_frame(path, PatternKeys(photons="photons"), bin=2, crop=64)
    assert made.fourier_amplitude.shape == (32, 32)
    whole = made.fourier_amplitude.square()
    kept = torch.from_numpy(photons[:, :])
    assert float(whole.sum()) <= float(kept.sum()) * 1.1
    inner = made.fourier_amplitude[1:, 1:]  # a half pixel before binning cannot be had: symmetric to a quarter pixel
    assert float((inner - inner.flip(0, 1)).abs().mean() / inner.mean()) < 0.2


def test_amplitudes_are_no_intensities(tmp_path) -> None:
    path = write(tmp_path / "a.h5", np.sqrt(pattern(64, (32.0, 32.0)) // 50))
    with pytest.raises(UserError, match="frame 0: the values are amplitudes, square roots of whole numbers"):
        measure_frame(path, PatternKeys(photons="photons"))


def test_a_centre_off_by_pixels_is_reported(tmp_path) -> None:
    path = write(tmp_path / "a.h5", pattern(64, (32.0, 32.0)))
    made = measure_frame(path, PatternKeys(photons="photons"), beam_centre=(35.0, 32.0))
    assert any("3.0 pixels away" in str(note) and "data.beam_centre=[32.00,32.00]" in str(note) for note in made.notes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"frame": 3}, "has frames 0 to 0"),
        ({"crop": 63, "bin": 2}, "multiple of data.bin=2"),
        ({"bin": 0}, "data.bin=0"),
        ({"threshold": 1e9}, "lower data.threshold"),
        ({"beam_centre": (1.0, 1.0), "bin": 4}, "set data.beam_centre and data.crop"),
    ],
)
def test_mistakes_get_one_line(tmp_path, settings, words) -> None:
    path = write(tmp_path / "a.h5", pattern(64, (32.0, 32.0)))
    with pytest.raises(UserError, match=words.replace("[", r"\[")):
        measure_frame(path, PatternKeys(photons="photons"), **settings)


def test_an_empty_frame_is_refused(tmp_path) -> None:
    path = write(tmp_path / "a.h5", np.zeros((64, 64)))
    with pytest.raises(UserError, match="frame 0 is empty"):
        measure_frame(path, PatternKeys(photons="photons"))


def test_a_dark_or_hidden_centre_is_spoken_of(tmp_path) -> None:
    photons = np.round(1e4 * pattern(64, (32.0, 32.0)) / pattern(64, (32.0, 32.0)).max()) + 20
    centre = {"keys": PatternKeys(photons="photons"), "beam_centre": (32.0, 32.0)}
    assert not any("within" in str(note) for note in measure_frame(write(tmp_path / "a.h5", photons), **centre).notes)
    photons[30:35, 30:35] = 0
    path = write(tmp_path / "b.h5", photons)
    assert any("no photons within 3" in str(note) for note in measure_frame(path, **centre).notes)
    path = str(tmp_path / "c.h5")
    with h5py.File(path, "w") as file:
        file["photons"], file["mask"] = photons[None].astype(np.float32), photons > 0
    notes = measure_frame(path, **centre | {"keys": PatternKeys(photons="photons", mask="mask")}).notes
    assert any("not measured within 3" in str(note) for note in notes) and not any(
        "WARNING" in str(note) for note in notes
    )


def test_parseval_of_a_prepared_pattern(tmp_path) -> None:
    density = torch.zeros(64, 64)
    density[28:34, 30:37] = 3e3
    path = write(tmp_path / "a.h5", fourier(density, ndim=2).abs().square().round().numpy())
    made = measure_frame(path, PatternKeys(photons="photons"), beam_centre=(32, 32), crop=64)
    assert float(made.fourier_amplitude.square().sum()) == pytest.approx(float(density.square().sum()), rel=1e-5)


@pytest.mark.parametrize("off", [(0.01, -0.01), (0.25, 0.2)])
def test_a_centre_off_by_a_hair_keeps_the_whole_frame(tmp_path, off) -> None:
    path = write(tmp_path / "a.h5", pattern(64, (32 + off[0], 32 + off[1])))
    made = measure_frame(path, PatternKeys(photons="photons"))
    assert made.mask.shape == (64, 64) and made.mask.all() and not any("kept" in str(note) for note in made.notes)


def test_pixels_beyond_the_detector_are_noted(tmp_path) -> None:
    path = write(tmp_path / "a.h5", pattern(64, (32, 32)))
    made = measure_frame(path, PatternKeys(photons="photons"), beam_centre=(32, 32), crop=80)
    assert any("kept 80 x 80 of 64 x 64" in str(note) and "beyond the detector" in str(note) for note in made.notes)
    assert int(made.mask.sum()) == 64 * 64


@pytest.mark.parametrize("scale", [1e-6, 1.0, 123.4567])
def test_relative_intensities_are_taken_whatever_the_other_frames_hold(tmp_path, scale) -> None:
    frames = np.stack([np.full((64, 64), -1.0), scale * (pattern(64, (32, 32)) + 0.3)])
    np.save(tmp_path / "a.npy", frames)
    made = measure_frame(str(tmp_path / "a.npy"), frame=1)
    np.testing.assert_allclose(made.fourier_amplitude.square(), frames[1], rtol=1e-5)
    assert made.counted is False and any(
        "frame 1: the values are not photon counts" in str(note) for note in made.notes
    )
    with pytest.raises(UserError, match=r"frame 0: 4096 pixels are negative.*data\.adu_per_photon="):
        measure_frame(str(tmp_path / "a.npy"))
    assert measure_frame(str(tmp_path / "a.npy"), frame=1, adu_per_photon=0.1 * scale).counted


def test_pixels_that_are_no_numbers_are_not_measured(tmp_path) -> None:
    photons = pattern(64, (32, 32))
    photons[32, 33], photons[5, 7] = np.nan, np.inf
    np.save(tmp_path / "a.npy", photons)
    for gain in (None, 1.0):
        made = measure_frame(str(tmp_path / "a.npy"), beam_centre=(32, 32), adu_per_photon=gain)
        assert not made.mask[32, 33] and not made.mask[5, 7] and int((~made.mask).sum()) == 2
        assert made.fourier_amplitude[32, 33] == 0 and any("2 pixels are NaN or infinite" in str(n) for n in made.notes)
    np.save(tmp_path / "b.npy", np.full((64, 64), np.nan))
    with pytest.raises(UserError, match=r"frame 0 is empty.*4096 pixels are NaN"):
        measure_frame(str(tmp_path / "b.npy"))


def test_one_part_of_the_geometry_alone_is_not_enough(tmp_path) -> None:
    np.save(tmp_path / "a.npy", pattern(64, (32, 32)))
    made = measure_frame(str(tmp_path / "a.npy"), geometry={"distance": 0.5, "pixel_size": None, "photon_energy": None})
    assert made.frequency_step is None
    assert any(
        "data.geometry.pixel_size and data.geometry.photon_energy also needed" in str(note) for note in made.notes
    )


def test_a_frame_without_contrast_is_refused(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.ones((16, 16)))
    with pytest.raises(UserError, match="frame 0 holds 1 in every pixel"):
        measure_frame(str(tmp_path / "a.npy"))


@pytest.mark.parametrize(("dtype", "top"), [("u2", 65535), ("f4", 1000.0), ("i4", 1023)])
def test_saturated_pixels_of_one_frame_of_many_are_not_measured(tmp_path, dtype, top) -> None:
    bright = pattern(64, (32, 32))
    bright = np.minimum(bright * (top / np.quantile(bright, 0.98)), top)
    stack = np.stack([pattern(64, (32, 32)), bright, pattern(64, (32, 32))]).astype(dtype)
    np.save(tmp_path / "a.npy", stack)
    made = measure_frame(str(tmp_path / "a.npy"), frame=1, beam_centre=(32, 32))
    full = int((stack[1] == top).sum())
    assert full > 8 and int((~made.mask).sum()) == full
    assert any(f"{full} pixels are saturated, at {top:g}" in str(note) for note in made.notes)
    assert measure_frame(str(tmp_path / "a.npy"), frame=0, beam_centre=(32, 32)).mask.all()


def stated_elsewhere(tmp_path, photons: np.ndarray, centre: tuple[float, float]) -> list[str]:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.h5"
    notes = measure_frame(write(path, photons), PatternKeys(photons="photons"), beam_centre=centre).notes
    return [note for note in notes if "puts the beam at" in str(note)]


@pytest.mark.parametrize("centre", [(52.0, 32.0), (20.0, 44.0), (32.0, 6.0)])
def test_a_centre_stated_far_away_is_reported_with_both(tmp_path, centre) -> None:
    (note,) = stated_elsewhere(tmp_path, pattern(64, (32.0, 32.0)), centre)
    assert f"row {centre[0]:.2f}, column {centre[1]:.2f}" in str(note) and "about row 32.00, column 32.00" in str(note)


def test_the_right_centre_of_weak_and_cut_patterns_is_not_doubted(tmp_path) -> None:
    expected = pattern(128, (64.0, 64.0))
    for photons in (0.5, 5.0, 500.0):  # at the brightest pixel
        counts = np.random.default_rng(0).poisson(expected * photons / expected.max()).astype(np.float64)
        gap = counts.copy()
        gap[56:66] = np.nan
        for one in (counts, gap):
            assert stated_elsewhere(tmp_path, one, (64.0, 64.0)) == []
        assert stated_elsewhere(tmp_path, counts[34:98, 14:110], (30.0, 50.0)) == []
        assert stated_elsewhere(tmp_path, counts[56:, 4:90], (8.0, 60.0)) == []


def test_a_beam_far_from_the_middle_is_found(tmp_path) -> None:
    made = measure_frame(write(tmp_path / "a.h5", pattern(96, (38.0, 64.0))[:, :]), PatternKeys(photons="photons"))
    assert any("found by symmetry: row 38.00, column 64.00" in str(note) for note in made.notes)


@pytest.mark.parametrize(("row", "column"), [(48.0, 48.0), (51.3, 44.0)])
def test_an_array_whose_beam_is_elsewhere_is_noted(row: float, column: float) -> None:
    y, x = torch.arange(96.0)[:, None] - row, torch.arange(96.0) - column
    intensity = sphere_amplitude(torch.hypot(y, x), torch.tensor(0.1)).square()
    photons = torch.poisson(1e5 * intensity / intensity.sum(), generator=torch.Generator().manual_seed(0))
    notes = [str(note) for note in Measurement.from_intensity(photons).notes]
    if row == 48:
        assert not notes
        return
    assert len(notes) == 1 and notes[0].startswith("WARNING: beam centre: the beam is taken at row 48.00, column 48.00")
    near = re.search(r"set phase\(photons, beam_centre=\[([\d.]+),([\d.]+)\]\)$", notes[0])
    assert near and [float(text) for text in near.groups()] == pytest.approx([row, column], abs=0.1)


def test_an_empty_first_frame_of_a_stack_leads_to_rocking_scans(tmp_path) -> None:
    frames = np.zeros((4, 16, 16), np.float32)
    frames[2, 8, 8] = 5
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["photons"] = frames
    with pytest.raises(UserError, match=r"frame 0 is empty .*; choose another frame; a rocking scan .* data=one_scan$"):
        measure_frame(str(tmp_path / "a.h5"))
