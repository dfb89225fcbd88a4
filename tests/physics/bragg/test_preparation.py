from pathlib import Path
from typing import Any

import h5py
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.physics.array import cut_around
from spi_lightning.physics.bragg.frame_correction import correct_frames
from spi_lightning.physics.bragg.peaks import find_peak
from spi_lightning.physics.bragg.preparation import bin_voxels, prepare


def scan(peak: tuple[int, int, int] = (9, 11, 10), shape: tuple[int, int, int] = (20, 22, 21)) -> torch.Tensor:
    """A Gaussian peak of 1000 counts."""
    axes = torch.meshgrid(*(torch.arange(n) - position for n, position in zip(shape, peak, strict=True)), indexing="ij")
    return (1000 * torch.exp(-0.1 * torch.stack(axes).square().sum(0))).round()


def test_the_peak_comes_to_the_middle_of_odd_and_even_sizes() -> None:
    for size in (8, 9, (6, 8, 7)):
        made = prepare(scan(), size=size, bin=1)
        middle = tuple(n // 2 for n in made.photons.shape)
        assert made.peak == (9, 11, 10)
        assert made.photons[middle] == 1000
        assert made.mask.all()
        assert made.notes == []


def test_binning_conserves_photons_and_scales_blocks_measured_in_part() -> None:
    photons, mask = torch.ones(4, 4, 4), torch.ones(4, 4, 4, dtype=torch.bool)
    mask[0, 0, :2] = False  # 2 of 8 voxels of the first block
    mask[2:, 2:, 2:] = False
    mask[2, 2, 2] = True
    binned, measured = bin_voxels(photons, mask, (2, 2, 2))
    assert binned[0, 0, 0] == binned[0, 1, 0] == 8
    assert not measured[1, 1, 1]
    assert binned[1, 1, 1] == 0
    whole = scan(shape=(20, 20, 20))
    assert bin_voxels(whole, torch.ones_like(whole, dtype=torch.bool), (2, 2, 2))[0].sum() == whole.sum()


def test_beyond_the_scan_nothing_was_measured() -> None:
    made = prepare(scan(peak=(4, 11, 10)), size=16)
    assert not made.mask[:4].any()
    assert made.mask[4:].all()
    assert "not measured" in str(made.notes[-1])


def test_whitefield_bad_pixels_and_dark() -> None:
    flat = 500 * torch.ones(22, 21)
    flat[3, 3], flat[5, 5] = 250, 0
    bad, dark = torch.zeros(22, 21), torch.zeros(22, 21)
    bad[7, 7], dark[8, 8] = 1, 2
    photons, mask, notes = correct_frames(torch.full((20, 22, 21), 10.0), flat, bad, dark, whitefield_mean=500.0)
    assert photons[0, 3, 3] == 20
    assert [bool(mask[0, i, i]) for i in (3, 5, 7, 8)] == [True, False, False, False]
    assert "divided by the whitefield" in str(notes[0]) and "largest voxel of 10 becomes 20" in str(notes[0])
    assert list(map(str, notes[1:])) == ["3 of 462 detector pixels are bad: taken as not measured"]


def test_threshold_silences_voxels_that_were_measured() -> None:
    made = prepare(scan(), size=12, threshold=50)
    assert made.photons[made.photons > 0].min() > 50
    assert made.mask.all()


def test_dropouts_of_the_monitor_are_not_measured_and_the_rest_normalised() -> None:
    monitor = torch.full((20,), 100.0)
    monitor[3], monitor[5], monitor[7] = 10, float("nan"), 200
    photons, mask, notes = correct_frames(torch.full((20, 6, 6), 8.0), monitor=monitor, normalise=True)
    assert [bool(mask[frame].any()) for frame in (2, 3, 5, 7)] == [True, False, False, True]
    assert photons[7, 0, 0] == 4
    assert "2 frames (3, 5)" in str(notes[0])


def test_no_monitor_to_divide_by_is_named() -> None:
    with pytest.raises(UserError, match=r"normalise=true: .* no monitor"):
        correct_frames(torch.full((20, 6, 6), 8.0), normalise=True)


def test_nan_and_saturated_voxels_are_not_measured() -> None:
    counts = scan()
    counts[0, 0, 0], counts[1, 0, 0] = float("nan"), -1
    photons, mask, notes = correct_frames(counts, saturation=1000)
    assert not mask[0, 0, 0]
    assert not mask[1, 0, 0]
    assert not mask[9, 11, 10]
    assert photons.isfinite().all()
    assert [str(note).split(":")[0] for note in notes[:2]] == ["1 voxels hold NaN", "1 voxels hold negative counts"]
    assert "saturated, at or above 1000" in str(notes[2]) and len(notes) == 3


@pytest.mark.parametrize("dropped", [11, 12, 13])
def test_a_saturated_peak_with_a_dropped_frame_stays_in_the_middle(dropped: int) -> None:
    away = (torch.arange(24.0) - 12).square() / 18
    counts = torch.poisson(
        1e5 * torch.exp(-(away[:, None, None] + away[:, None] + away)), generator=torch.Generator().manual_seed(0)
    )
    counts[counts > 6e4] = torch.inf
    counts[dropped] = torch.nan
    assert prepare(counts, 24).peak == (12, 12, 12)


@pytest.mark.parametrize("bin", [1, 2])
def test_a_saturated_peak_stays_in_the_middle(bin: int) -> None:
    grid = torch.stack(torch.meshgrid(*[torch.arange(24.0) - 12] * 3, indexing="ij"))
    counts = 1e5 * torch.exp(-grid.square().sum(0) / 12) + 900 * torch.exp(-((grid[1] - 5).square() + grid[0] ** 2))
    clipped = torch.where(counts > 1000, torch.inf, counts)
    for made in (prepare(clipped, 16 // bin, bin, 0.0), prepare(counts, 16 // bin, bin, 0.0, saturation=1000)):
        assert made.peak == (12, 12, 12) and not made.mask[8 // bin, 8 // bin, 8 // bin]
        full = bin_voxels(
            cut_around((counts > 1000).float(), made.peak, (16,) * 3), made.mask.new_ones(16, 16, 16), (bin,) * 3
        )
        assert torch.equal(~made.mask, full[0] > 0) and made.photons.max() <= 1000 * bin**3


@pytest.mark.parametrize("bin", [1, 2, 3])
@pytest.mark.parametrize("size", [4, 5])
def test_the_origin_is_the_middle_of_the_block_at_the_centre(bin: int, size: int) -> None:
    made = prepare(scan(), size, bin)
    position = torch.arange(20.0)[:, None, None].expand(20, 22, 21)  # what the block adds up is the mean of its places
    cut = cut_around(position, made.peak, (size * bin,) * 3)
    mean = bin_voxels(cut, torch.ones_like(cut, dtype=torch.bool), (bin,) * 3)[0] / bin**3
    assert made.origin[0] == pytest.approx(float(mean[(size // 2,) * 3]))
    assert max(abs(here - there) for here, there in zip(made.origin, made.peak, strict=True)) <= (bin - 1) / 2


def test_a_hot_voxel_is_not_the_peak() -> None:
    counts = scan()
    counts[2, 2, 2] = 5000
    assert find_peak(counts) == (9, 11, 10)


@pytest.mark.parametrize("photons", [60.0, 300.0])
@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_the_peak_of_few_photons_is_not_where_noise_is_largest(photons: float, unit: float) -> None:
    away = [(torch.arange(16.0) - 8).square() / 8 for _ in range(3)]
    expected = photons * torch.exp(-(away[0][:, None, None] + away[1][:, None] + away[2]))
    found = []
    for seed in range(10):
        counts = torch.poisson(expected, generator=torch.Generator().manual_seed(seed))
        brightest = torch.unravel_index(counts.argmax(), counts.shape)
        found.append((find_peak(counts * unit, unit), tuple(int(i) for i in brightest)))
    assert sum(peak == (8, 8, 8) for peak, _ in found) >= 9 > sum(brightest == (8, 8, 8) for _, brightest in found)


@pytest.mark.parametrize(
    ("counts", "options", "words"),
    [
        (scan(peak=(0, 11, 10)), {}, "border"),
        (torch.zeros(8, 8, 8), {}, "no photons"),
        (torch.full((8, 8, 8), float("nan")), {}, "no voxel"),
        (torch.ones(8, 8), {}, "frames, rows, columns"),
        (scan(), {"size": 0}, "size"),
        (scan(), {"whitefield": torch.ones(3, 3)}, "whitefield has shape"),
        (scan(), {"monitor": torch.ones(3)}, "monitor"),
    ],
)
def test_bad_scans_are_named(counts: torch.Tensor, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        prepare(counts, **{"size": 8, **options})


def test_cut_around_keeps_and_pads() -> None:
    volume = torch.arange(27.0).reshape(3, 3, 3)
    cut = cut_around(volume, (0, 1, 2), (3, 3, 3))
    assert cut[1, 1, 1] == volume[0, 1, 2]
    assert cut[0].sum() == cut[:, :, 2].sum() == 0


def test_the_real_scan(spi_data: Path) -> None:
    with h5py.File(spi_data / "bragg" / "aps34idc_S0054_128.h5") as file:
        read = {name: torch.from_numpy(file[name][()].astype("float32")) for name in file}
        mean = float(file.attrs["whitefield_mean_full_detector"])
    options = {name: read[name] for name in ("whitefield", "bad_pixels", "dark", "monitor")}
    made = prepare(read["counts"], 64, 2, whitefield_mean=mean, **options)  # type: ignore[arg-type]
    assert made.photons.shape == (64, 64, 64)
    assert made.photons.argmax() == 32 * 64 * 64 + 32 * 64 + 32
    assert 3.8e7 < made.photons.sum() < 4.2e7
    assert max(abs(position - 64) for position in made.peak) <= 1


def wide(frames: int = 20) -> torch.Tensor:
    """Photons (frames, 6, 6) of a peak."""
    return 1000 * torch.exp(-((torch.arange(frames) - frames / 2) ** 2) / 30)[:, None, None].expand(-1, 6, 6)


@pytest.mark.parametrize(
    "monitor",
    [torch.zeros(20), torch.cat([torch.zeros(13), torch.full((7,), 50.0)]), torch.full((20,), float("nan"))],
)
def test_a_monitor_that_the_photons_belie_is_set_aside_and_not_divided_by(monitor: torch.Tensor) -> None:
    photons, mask, notes = correct_frames(wide(), monitor=monitor)
    assert mask.all() and torch.equal(photons, wide())
    assert "monitor" in str(notes[0]) and "set aside" in str(notes[0])
    with pytest.raises(UserError, match=r"monitor is zero, negative or NaN in .* cannot be divided by"):
        correct_frames(wide(), monitor=monitor, normalise=True)


def test_a_monitor_of_negative_current_is_taken_by_its_size() -> None:
    beam = torch.linspace(100, 150, 20)
    there, _, _ = correct_frames(wide(), monitor=beam, normalise=True)
    photons, mask, notes = correct_frames(wide(), monitor=-beam, normalise=True)
    assert mask.all() and torch.equal(photons, there)
    assert "negative" in str(notes[0])


def test_frames_that_are_dark_as_the_monitor_says_are_not_measured() -> None:
    monitor, counts = torch.full((20,), 100.0), wide().clone()
    monitor[4:10], counts[4:10] = 0, 0
    _, mask, notes = correct_frames(counts, monitor=monitor)
    assert mask.any((1, 2)).tolist() == [not 4 <= frame < 10 for frame in range(20)]
    assert "dropped out in 6 frames" in str(notes[0])


def test_an_unknown_value_of_the_monitor_is_no_dropout() -> None:
    monitor = torch.full((20,), 100.0)
    monitor[7] = float("nan")
    assert correct_frames(wide(), monitor=monitor)[1].all()
    assert not correct_frames(wide(), monitor=monitor, normalise=True)[1][7].any()
