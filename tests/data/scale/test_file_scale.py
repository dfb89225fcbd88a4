import numpy as np
import pytest
import torch

from spi_lightning.api.patterns import as_patterns
from spi_lightning.data.scale.file_hits import hits_among
from spi_lightning.data.scale.file_scale import find_scale
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile, open_patterns
from tests.data.scale.test_scale_free import spheres


def file_of(
    shape: tuple[int, int],
    centre: tuple[float, float],
    widths: list[float],
    photons: float = 3000.0,
    blanks: int = 0,
    hole: float = 0.0,
    background: float = 0.02,
) -> PatternFile:
    """Hits by spheres of some speckle widths, pixel, and blank frames among them, behind a beam hole in speckles."""
    generator = torch.Generator().manual_seed(0)
    hits = torch.cat([spheres(shape, centre, width) for width in widths])[:, 0]
    hits *= photons / hits.sum((1, 2), keepdim=True)
    expected = torch.cat([hits, torch.zeros(blanks, *shape)])[torch.randperm(len(hits) + blanks, generator=generator)]
    y, x = (torch.arange(n)[:, None] - at for n, at in zip(shape, centre, strict=True))
    mask = torch.maximum(y.abs(), x.T.abs()) >= hole * widths[0]
    mask[shape[0] // 2 + 4 : shape[0] // 2 + 6] = False
    return as_patterns(torch.poisson(expected + background, generator=generator) * mask, mask)


@pytest.mark.parametrize(
    ("shape", "centre", "width", "photons"),
    [
        ((32, 32), (15.5, 15.5), 3.0, 3e3),
        ((96, 120), (55.3, 51.7), 6.0, 1e3),
        ((192, 160), (95.5, 79.5), 14.0, 1e4),
        ((160, 160), (90.2, 70.4), 9.0, 1e3),
        ((512, 600), (250.0, 320.0), 40.0, 1e5),
        ((640, 640), (300.0, 340.0), 4.0, 3e3),  # fewer than two binned pixels
    ],
)
@pytest.mark.parametrize("hole", [0.0, 0.5])
def test_centre_and_width_are_those_of_the_spheres(
    shape: tuple[int, int], centre: tuple[float, float], width: float, photons: float, hole: float
) -> None:
    scale, notes = find_scale(file_of(shape, centre, [width] * 12, photons, 20, hole))
    assert scale.speckle_width == pytest.approx(width, rel=0.05)
    assert np.hypot(*np.subtract(scale.beam_centre, centre)) < 0.1 * width
    assert (scale.hits, scale.frames) == (12, 32)
    assert (scale.width_from, scale.centre_from) == ("sphere fit", "symmetry")
    assert len(notes) == 1 and "12 hits of 32 frames" in str(notes[0])


@pytest.mark.parametrize("blanks", [24, 228])
def test_blank_frames_with_a_halo_are_no_hits(blanks: int) -> None:
    hits, generator = file_of((96, 96), (45.0, 50.0), [9.0] * 12 + [7.0] * 2), torch.Generator().manual_seed(3)
    y, x = (torch.arange(96)[:, None] - at for at in (45.0, 50.0))
    halo = torch.exp(-torch.hypot(y, x.T) / 9) / 2
    empty = torch.poisson(halo * (0.4 * torch.randn(blanks, 1, 1, generator=generator)).exp() + 0.02)
    mask = torch.from_numpy(hits.mask)
    empty, frames = empty * mask, torch.cat([torch.from_numpy(hits.read(np.arange(14))), empty * mask])
    scale, notes = find_scale(as_patterns(frames, mask))
    assert (scale.hits, scale.frames) == (14, 14 + blanks) and scale.halo > 200
    assert scale.speckle_width == pytest.approx(9.0, rel=0.05)
    assert [note for note in notes if "halo" in str(note)] and not any("two sizes" in str(note) for note in notes)
    assert hits_among(frames, mask[None], scale).tolist() == [True] * 14 + [False] * blanks
    scale, notes = find_scale(as_patterns(empty, mask))
    assert scale.hits == 0 and not hits_among(empty, mask[None], scale).any()


def test_the_usual_size_is_that_of_most_and_a_second_one_is_noted() -> None:
    few = file_of((128, 128), (63.5, 63.5), [8.0] * 20 + [5.0, 12.0, 17.0])
    scale, notes = find_scale(few)
    assert scale.speckle_width == pytest.approx(8.0, rel=0.04) and len(notes) == 1
    scale, notes = find_scale(file_of((128, 128), (63.5, 63.5), [8.0] * 20 + [14.0] * 14))
    assert scale.speckle_width == pytest.approx(8.0, rel=0.04)
    assert "two sizes of particles" in str(notes[1]) and "preprocess.speckle=14" in str(notes[1])


def test_particles_too_large_for_the_sampling_are_noted() -> None:
    scale, notes = find_scale(file_of((64, 64), (31.5, 31.5), [1.7] * 12, 1e4))
    assert scale.speckle_width == pytest.approx(1.7, rel=0.1)
    assert "below 2: the particles are too large for the sampling" in str(notes[1])


def test_without_hits_one_line_says_so() -> None:
    torch.manual_seed(0)
    scale, (note,) = find_scale(as_patterns(torch.poisson(torch.full((40, 50, 60), 0.1))))
    assert (scale.hits, scale.frames, scale.width_from) == (0, 40, "unknown")
    assert "none of 40 frames is a hit" in str(note)


def test_what_the_user_states_is_taken_and_a_wrong_file_is_noted() -> None:
    file = file_of((96, 96), (47.5, 47.5), [6.0] * 12)
    scale, _ = find_scale(file, speckle=7.5)
    assert (scale.speckle_width, scale.width_from, scale.centre_from) == (7.5, "stated", "symmetry")
    scale, notes = find_scale(file, speckle=7.5, beam_centre=(40.0, 41.0))
    assert (scale.beam_centre, notes) == ((40.0, 41.0), [])
    file.geometry["beam_centre"] = np.array([51.0, 44.0])
    scale, notes = find_scale(file)
    assert np.hypot(*np.subtract(scale.beam_centre, (47.5, 47.5))) < 0.5
    assert "stated at row 51.00" in str(notes[-1]) and "set preprocess.beam_centre=[47." in str(notes[-1])


@pytest.mark.parametrize("options", [{"speckle": -2.0}, {"beam_centre": (3.0, 300.0)}, {"beam_centre": (1.0,)}])
def test_an_impossible_value_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"preprocess\.(speckle=-2|beam_centre=\[)"):
        find_scale(file_of((32, 32), (15.5, 15.5), [4.0] * 4), **options)


def test_the_scale_of_the_virus(spi_data) -> None:
    scale, notes = find_scale(open_patterns(spi_data / "spi" / "pr772_dev.h5", mask_convention="bad"))
    assert scale.speckle_width == pytest.approx(7.9e-10 * 0.581 / (60e-9 * 6e-4), rel=0.08)
    assert np.hypot(*np.subtract(scale.beam_centre, 63.5)) < 1
    assert scale.bin == 2 and not [note for note in notes if note.level]


def test_a_halo_around_the_beam_is_no_speckle() -> None:
    file = file_of((128, 128), (63.5, 63.5), [8.0] * 8, 3e3)
    at = torch.arange(128) - 63.5
    halo = torch.exp(-torch.hypot(at[:, None], at) / 12)
    blanks = torch.poisson(2e3 * (halo / halo.sum()).expand(60, -1, -1), torch.Generator().manual_seed(1))
    photons = np.concatenate([file.read(range(8)), blanks.numpy() * file.mask])
    scale, notes = find_scale(as_patterns(photons, file.mask))
    assert scale.speckle_width == pytest.approx(8.0, rel=0.05) and scale.hits == 8
    assert len(notes) == 2 and "blank frames have a halo" in str(notes[1])
