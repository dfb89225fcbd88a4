"""Numbers on the contents of a file, against counts made by hand."""

from pathlib import Path

import numpy as np
import pytest

from spi_lightning.io import open_patterns
from spi_lightning.io.contents import StoredValues, gain_notes, missing_geometry, photon_statistics, reach_of
from spi_lightning.io.patterns.assembly import sample_indices


def test_photons_are_counted_by_octaves(tmp_path: Path) -> None:
    photons = np.zeros((3, 4, 5), dtype=np.int64)
    photons[0, 0, :5] = [1, 2, 3, 4, 300]
    np.save(tmp_path / "a.npy", photons)
    statistics = photon_statistics(open_patterns(tmp_path / "a.npy"), np.arange(3))
    assert statistics.pixels[:4].tolist() == [55, 1, 2, 1] and statistics.pixels[9] == 1  # 256 to 511
    assert statistics.pixels.sum() == 60
    assert statistics.totals.tolist() == [310, 0, 0]
    assert statistics.largest == 300 and statistics.mean == pytest.approx(310 / 60)


def test_poisson_photons_have_a_variance_as_large_as_their_mean(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).poisson(3.0, (20, 64, 64)))
    assert photon_statistics(open_patterns(tmp_path / "a.npy"), np.arange(20)).fano == pytest.approx(1, abs=0.05)


def test_reach_is_that_of_the_geometry(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 100, 80), dtype=np.int64))
    assert missing_geometry(open_patterns(tmp_path / "a.npy")) == ["distance", "pixel_size", "photon_energy"]
    assert reach_of(open_patterns(tmp_path / "a.npy")) is None
    geometry = {"distance": 0.5, "pixel_size": 1e-3, "photon_energy": 1239.84198}  # 1 nm
    reach = reach_of(open_patterns(tmp_path / "a.npy", geometry=geometry))
    assert reach is not None
    assert reach.period == pytest.approx(1e-9 / (2 * np.sin(np.arctan(0.04 / 0.5) / 2)), rel=1e-6)
    assert reach.diameter == pytest.approx(1e-9 * 0.5 / (2 * 1e-3), rel=1e-6)


def test_counts_with_a_few_broken_pixels_are_counts(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(2.0, (2, 40, 40)).astype(np.float32)
    counts[0, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", counts)
    np.save(tmp_path / "b.npy", 0.37 * counts)
    whole, scaled = (
        StoredValues(open_patterns(tmp_path / name, check=False), np.arange(2)) for name in ("a.npy", "b.npy")
    )
    assert whole.are_counts and not scaled.are_counts
    assert int((~whole.could_be_counts).sum()) == 1


def test_frames_are_spread_over_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((10, 4, 4), dtype=np.int64))
    file = open_patterns(tmp_path / "a.npy")
    assert sample_indices(len(file), 100).tolist() == list(range(10))
    assert sample_indices(len(file), 2).tolist() == [0, 9]


def test_a_gain_that_the_values_contradict_is_named_with_the_one_that_fits(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    photons = random.poisson(0.3, (12, 64, 64))
    np.save(tmp_path / "counts.npy", photons.astype(np.uint16))
    np.save(tmp_path / "tens.npy", (10 * photons).astype(np.uint16))
    np.save(tmp_path / "adu.npy", (12.5 * photons + random.normal(0, 1, photons.shape)).astype(np.float32))

    def notes(name: str, gain: float | None) -> str:
        return " ".join(str(note) for note in gain_notes(open_patterns(tmp_path / name, adu_per_photon=gain), gain))

    assert not notes("counts.npy", None) and not notes("adu.npy", 12.0) and not notes("tens.npy", 10)
    assert "look like photon counts already, and are divided by data.adu_per_photon=10" in notes("counts.npy", 10)
    assert "data.adu_per_photon=12.5 would fit" in notes("adu.npy", 125)
    assert "every value is a multiple of 10" in notes("tens.npy", None)
    both = [str(tmp_path / "adu.npy"), str(tmp_path / "adu.npy")]
    assert sum("would fit" in note.text for note in open_patterns(both, adu_per_photon=125).notes) == 1
