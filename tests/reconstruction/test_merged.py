"""A merged intensity in Dragonfly's layout is phased to the density it came from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.phasing import alignment
from spi_lightning.physics.array import resized
from spi_lightning.reconstruction import Phasing, ReconstructionSettings, assess, measure_merged, reconstruct, silent
from tests.reconstruction.merged_file import SIZE, body, write_beside, write_merged

QUICK = Phasing(
    "20*ER + 3*(40*HIO(0.9) + 10*ER) + 20*ER + shrinkwrap(2.0, 0.1, decay=0.95, last_sigma=1.0, after=40)/20"
)


@pytest.mark.parametrize("hole", [0.0, 2.5])
def test_a_known_density_comes_back_from_its_merged_intensity(tmp_path: Path, hole: float) -> None:
    measured = measure_merged(write_merged(tmp_path / "data" / "output_020.h5", body(), hole))
    found = reconstruct(measured, ReconstructionSettings(starts=4, phasing=QUICK), stages=silent)
    assert found.density.dtype == torch.float32 and float(found.phased.density.min()) >= 0
    truth = resized(body(), found.density.shape)
    assert float(alignment(found.density[None], truth, subpixel=True).overlap[0]) > 0.95
    result, numbers = assess(found)
    assert result.about.constraint == "positive" and result.about.support == "autocorrelation"
    assert 0.4 < numbers["prtf/chance"] < 0.6 and result.about.counting_error is None


def test_the_origin_and_the_holes_are_those_of_the_file(tmp_path: Path) -> None:
    lopsided = body() + 0.5 * torch.roll(body(), 1, 0)  # whose intensity no search for symmetry would leave in place
    path = write_merged(tmp_path / "data" / "output_007.h5", lopsided, hole=2.5)
    write_merged(tmp_path / "data" / "output_003.h5", body())
    by_file, by_run = measure_merged(path), measure_merged(tmp_path)
    torch.testing.assert_close(by_file.fourier_amplitude, by_run.fourier_amplitude)
    middle = by_file.mask.shape[0] // 2
    assert not by_file.mask[middle - 2 : middle + 3, middle, middle].any() and by_file.mask[middle, middle, middle + 3]
    assert by_file.kind == "merged" and not by_file.mask[0, 0, 0] and by_file.counted is False
    assert f"origin at voxel {SIZE // 2}" in by_run.notes[-1].text and "hole of radius 3" in by_run.notes[-1].text


def test_voxels_of_zero_are_free_where_the_file_has_no_weights(tmp_path: Path) -> None:
    with_weights = measure_merged(write_merged(tmp_path / "output_001.h5", body(), 2.5))
    without = measure_merged(write_merged(tmp_path / "output_002.h5", body(), 2.5, weights=False))
    assert bool((with_weights.mask == without.mask).all())
    assert any("inter_weight" in note.text for note in without.notes)


def test_the_sampling_comes_from_the_run_or_is_asked_for(tmp_path: Path) -> None:
    path = write_merged(tmp_path / "data" / "output_001.h5", body())
    unknown = measure_merged(path)
    assert unknown.frequency_step is None and "no detector file" in unknown.notes[0].text
    step = write_beside(tmp_path)
    known = measure_merged(path)
    assert known.frequency_step == pytest.approx((step,) * 3)
    energy = 12398.42 / 4.0  # eV, of 4 angstrom
    stated = measure_merged(path, geometry={"photon_energy": energy})
    assert stated.frequency_step == pytest.approx((step / 2,) * 3, rel=1e-4)
    (tmp_path / "config.ini").unlink()
    assert "photon_energy" in measure_merged(path).notes[0].text


def test_what_the_beam_stop_hid_is_free_although_its_neighbours_spread_there(tmp_path: Path) -> None:
    path = write_merged(tmp_path / "data" / "output_001.h5", body(), hole=2.2)
    write_beside(tmp_path, hole=3.6)
    middle = measure_merged(path).mask.shape[0] // 2
    assert not measure_merged(path).mask[middle, middle, middle + 3]


@pytest.mark.parametrize(
    ("words", "message"), [({"geometry": {"distance": 1.0}}, "distance is unknown"), ({"crop": 3}, "data.crop")]
)
def test_mistakes_are_one_line(tmp_path: Path, words: dict, message: str) -> None:
    path = write_merged(tmp_path / "output_001.h5", body())
    with pytest.raises(UserError, match=message):
        measure_merged(path, **words)


def test_a_first_guess_without_a_measured_voxel_is_refused(tmp_path: Path) -> None:
    path = write_merged(tmp_path / "output_001.h5", torch.zeros(9, 9, 9))
    with pytest.raises(UserError, match="no voxel"):
        measure_merged(path)
    with pytest.raises(UserError, match="no such Dragonfly output; check data"):
        measure_merged(tmp_path / "absent.h5")


def test_a_small_crop_says_what_it_leaves_out(tmp_path: Path) -> None:
    measured = measure_merged(write_merged(tmp_path / "output_001.h5", body()), crop=21)
    assert measured.mask.shape == (21, 21, 21) and "leaves out" in measured.notes[-1].text
    assert np.isclose(float(measured.fourier_amplitude[10, 10, 10]), float(measured.fourier_amplitude.max()))
