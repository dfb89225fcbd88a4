"""3D pattern of one measured scan, and its measurement for phasing."""

import math
import os
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import pytest
from omegaconf import OmegaConf

from spi_lightning.data import measure_scan
from spi_lightning.data.scans.preparation import Preparation
from spi_lightning.data.scans.single_pattern import read_pattern
from spi_lightning.errors import UserError
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.simulate.volumes import VolumeNoise, VolumeSimulator

SIMULATOR = VolumeSimulator(size=32, object_size=12, block_size=1, noise=VolumeNoise(peak_photons=(1e5, 1e5)))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    counts = SIMULATOR(0, 0)["intensity"][0].numpy().astype(np.uint32)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["counts"], file["theta_deg"] = np.pad(counts, ((2, 0), (0, 3), (1, 1))), 0.01 * np.arange(34)
    return path


def test_a_scan_becomes_a_centred_pattern_with_its_mask(scan: Path) -> None:
    measured = read_pattern(scan, preparation=Preparation(size=30, bin=1))
    assert measured.pattern.fourier_amplitude.shape == measured.pattern.mask.shape == (30, 30, 30)
    assert measured.pattern.fourier_amplitude.argmax() == 15 * 900 + 15 * 30 + 15
    assert any("oversampling" in str(note) for note in measured.notes)
    assert any("geometry.photon_energy" in str(note) for note in measured.notes)
    assert measured.voxel_vectors() is None


def test_bin_and_size_follow_the_data(scan: Path) -> None:
    measured = read_pattern(scan, preparation=Preparation(size=None, bin=None, least_oversampling=2.0))
    assert all(ratio >= 1.8 for ratio in measured.oversampling.ratio)
    assert any("by its oversampling and its photons" in str(note) for note in measured.notes)


def test_a_small_scan_is_not_padded_by_default(scan: Path) -> None:
    measured = read_pattern(scan, preparation=Preparation(size=64, bin=1))
    assert tuple(measured.pattern.photons.shape) == (32, 30, 32)
    assert measured.pattern.mask.all()
    assert any("cut to 32 x 30 x 32, not 64" in str(note) for note in measured.notes)
    padded = read_pattern(scan, preparation=Preparation(size=[64, 64, 64], bin=1))
    assert tuple(padded.pattern.photons.shape) == (64, 64, 64)


def test_padding_is_named_as_the_cause_of_free_voxels_only_where_it_is(scan: Path, tmp_path: Path) -> None:
    with h5py.File(scan) as file, h5py.File(tmp_path / "gap.h5", "w") as gap:
        counts = file["counts"][()]
        gap["counts"], gap["bad_pixels"] = counts, np.zeros(counts.shape[1:], np.uint8)
        gap["bad_pixels"][4 : 4 + counts.shape[1] // 4] = 1
    edges = list(counts.shape)
    free = [
        next(
            note
            for note in read_pattern(path, preparation=Preparation(size=size, bin=1)).notes
            if "are free" in str(note)
        )
        for path, size in ((tmp_path / "gap.h5", max(edges)), (scan, [2 * n for n in edges]))
    ]
    assert ["pads nothing" in str(note) for note in free] == [False, True]


def test_bins_that_leave_nothing_are_refused_before_anything_large_is_made(scan: Path) -> None:
    with pytest.raises(UserError, match="leaves next to nothing"):
        read_pattern(scan, preparation=Preparation(size=64, bin=20))


def test_geometry_of_the_user_completes_the_file(scan: Path) -> None:
    configured = {"photon_energy": 9000.0, "distance": 0.5, "pixel_size": 55e-6, "delta_deg": 32.0, "gamma_deg": 12.0}
    measured = read_pattern(scan, preparation=Preparation(size=32, bin=1), geometry=configured)
    vectors = measured.voxel_vectors()
    assert vectors is not None
    assert vectors.shape == (3, 3)


def test_two_peaks_one_is_left_out(scan: Path) -> None:
    with h5py.File(scan, "r+") as file:
        file["counts"][28:31, 5:8, 5:8] = 3000
    kept, cleaned = (
        read_pattern(scan, preparation=Preparation(size=32, bin=1, parasitic_peaks=how)).pattern
        for how in ("none", "find")
    )
    assert kept.photons.sum() > cleaned.photons.sum() + 20 * 3000
    assert kept.mask.sum() > cleaned.mask.sum()
    with pytest.raises(UserError, match="parasitic_peaks"):
        Preparation(parasitic_peaks="some")


def test_a_saturated_scan_is_called_so_and_keeps_its_centre(scan: Path) -> None:
    right = read_pattern(scan, preparation=Preparation(size=32, bin=1)).pattern.peak
    with h5py.File(scan, "r+") as file:
        counts = file["counts"][()]
        del file["counts"]
        file["counts"] = np.minimum(counts, int(np.sort(counts.ravel())[-80])).astype(np.uint16)
    made = read_pattern(scan, preparation=Preparation(size=32, bin=1))
    assert any("80 voxels are saturated" in str(note) for note in made.notes)
    assert not any("WARNING" in str(note) or "NaN" in str(note) for note in made.notes)
    assert max(abs(here - there) for here, there in zip(made.pattern.peak, right, strict=True)) <= 1
    assert not made.pattern.mask[16, 16, 16]


def test_a_geometry_that_contradicts_the_file_or_this_world_is_noted(scan: Path) -> None:
    how = Preparation(size=32, bin=1)
    made = read_pattern(scan, preparation=how, geometry={"step_deg": -0.01, "photon_energy": None})
    assert any("the file says step_deg=+0.01 degree, you say -0.01" in str(note) for note in made.notes)
    assert made.geometry.step_deg == -0.01
    with pytest.raises(UserError, match=r"photon_energy=9 eV.*photon_energy=9000"):
        read_pattern(scan, preparation=how, geometry={"photon_energy": 9})


COMPLETE = {"photon_energy": 9000.0, "distance": 0.5, "pixel_size": 55e-6, "delta_deg": 32.0, "gamma_deg": 0.0}


def test_q_is_taken_at_the_peaks_pixel_however_the_scan_is_cut(scan: Path) -> None:
    how = Preparation(size=16, bin=1)
    _, row, column = read_pattern(scan, preparation=how).pattern.peak
    beam = {"beam_row": float(row), "beam_column": column + 100.0}
    whole = read_pattern(scan, preparation=how, geometry=COMPLETE | beam)
    assert whole.geometry.off_axis == (0.0, -100.0)
    turned = math.degrees(math.atan(100 * 55e-6 / 0.5))
    assert whole.geometry.two_theta_deg() == pytest.approx(32.0 - turned)
    words = f"row {row} and column {column} of the detector, +0 rows and -100 columns"
    assert any(words in str(note) for note in whole.notes)
    part = read_pattern(scan, preparation=how, geometry=COMPLETE | beam, region=[2, 30, 3, 32])
    assert part.geometry == whole.geometry
    binned = read_pattern(scan, preparation=Preparation(size=16, bin=2), geometry=COMPLETE | beam).geometry
    assert binned.off_axis == (-0.5, -99.5)  # the middle of the block that is voxel n // 2, of 15 and 16 blocks
    with h5py.File(scan, "r+") as file:
        file.attrs["crop_origin_frame_row_col"] = np.array([5, 40, 60])
    uncut = {"beam_row": row + 40.0, "beam_column": column + 160.0}
    crop = read_pattern(scan, preparation=how, geometry=COMPLETE | uncut)
    assert crop.geometry.off_axis == whole.geometry.off_axis


def test_without_the_beams_pixel_q_is_along_the_arm_with_a_note(scan: Path) -> None:
    how = Preparation(size=16, bin=1)
    made = read_pattern(scan, preparation=how, geometry=COMPLETE)
    assert made.geometry.off_axis is None and made.geometry.two_theta_deg() == pytest.approx(32.0)
    assert any("where the detector arm points" in str(note) and "beam_row=<pixel>" in str(note) for note in made.notes)
    with pytest.raises(UserError, match="off_axis is unknown"):
        read_pattern(scan, preparation=how, geometry={"off_axis": 3.0})
    with pytest.raises(UserError, match="beam_row=90000 pixel"):
        read_pattern(scan, preparation=how, geometry=COMPLETE | {"beam_row": 9e4, "beam_column": 1.0})


def test_the_config_names_every_quantity_of_the_geometry() -> None:
    known = {entry.name for entry in fields(BraggGeometry)} - {"off_axis"}
    config = OmegaConf.load(Path(__file__).parents[3] / "conf" / "data" / "geometry" / "scan.yaml")
    assert set(config) == known


S0054 = Path(os.environ.get("SPI_DATA", "../shared/data")) / "bragg" / "aps34idc_S0054_128.h5"


@pytest.mark.skipif(not S0054.is_file(), reason="the rocking scan S0054 is not in SPI_DATA")
def test_steps_are_those_along_the_measured_axes() -> None:
    made = measure_scan(S0054, preparation=Preparation(size=32, bin=2))
    assert made.fourier_amplitude.shape == made.mask.shape == (32, 32, 32) and made.frequency_step is not None
    vectors = read_pattern(S0054, preparation=Preparation(size=32, bin=2)).voxel_vectors()
    assert vectors is not None
    for axis, step in enumerate(made.frequency_step):
        assert 1 / (32 * step) == pytest.approx(float(vectors[:, axis].norm()))
    # detector pixels of 55 um at 0.5 m and 1.378 Angstrom, two binned: 0.5 m * 1.378e-10 m / (32 * 110 um)
    assert 1 / (32 * made.frequency_step[1]) == pytest.approx(0.5 * 1.3776e-10 / (32 * 110e-6), rel=0.05)
