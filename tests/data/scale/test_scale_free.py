import pytest
import torch

from spi_lightning.data import ScaleFree
from spi_lightning.errors import UserError
from spi_lightning.fields import MASK, PHOTONS
from spi_lightning.physics.array import bin_pixels
from spi_lightning.physics.frames.canonical import canonical, cell_shares
from spi_lightning.physics.frames.frame_scale import FrameScale
from spi_lightning.physics.frames.sphere_fit import sphere_amplitude


def spheres(shape: tuple[int, int], centre: tuple[float, float], width: float, forward: float = 400.0) -> torch.Tensor:
    """Expected photons of a sphere whose speckles are so many pixels wide, (1, 1, H, W)."""
    y, x = (torch.arange(n)[:, None] - at for n, at in zip(shape, centre, strict=True))
    return forward * sphere_amplitude(torch.hypot(y, x.T), torch.tensor(1 / width))[None, None] ** 2


def everywhere(photons: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(photons, dtype=torch.bool)


@pytest.mark.parametrize(
    ("width", "bin"), [(3.0, None), (4.6, None), (5.5, 1), (6.5, 1), (8.2, None), (11.2, 2), (18.0, 3), (40.0, 7)]
)
def test_cells_are_whole_pixels_where_that_is_near_enough(width: float, bin: int | None) -> None:
    scale = FrameScale((0.0, 0.0), width)
    assert scale.bin == bin
    assert 5.4 <= width / scale.cell <= 6.6
    assert bin or width / scale.cell == pytest.approx(6)


@pytest.mark.parametrize("width", [2.5, 4.0, 6.0, 8.2, 13.0, 25.0])
@pytest.mark.parametrize("centre", [(150.0, 180.0), (149.3, 180.8), (150.5, 179.5)])
def test_photons_inside_the_window_are_all_kept(width: float, centre: tuple[float, float]) -> None:
    photons = torch.zeros(2, 1, 300, 360)
    half = FrameScale(centre, width).cell * 32 - 1
    rows, columns = (slice(int(at - half) + 1, int(at + half)) for at in centre)
    photons[:, :, rows, columns] = torch.poisson(torch.rand(2, 1, rows.stop - rows.start, columns.stop - columns.start))
    cells, mask = canonical(photons, everywhere(photons), FrameScale(centre, width))
    inside = [(int(at - half - 1), int(at + half + 2)) for at in centre]
    if all(low >= 0 and high <= n for (low, high), n in zip(inside, (300, 360), strict=True)):
        assert mask.all()
        torch.testing.assert_close(cells.sum((1, 2, 3)), photons.sum((1, 2, 3)), rtol=1e-5, atol=0)
    if FrameScale(centre, width).bin:
        assert torch.equal(cells, cells.round())


def test_whole_bins_give_what_bin_pixels_gives() -> None:
    torch.manual_seed(0)
    photons = torch.poisson(torch.rand(3, 1, 192, 192))
    mask = torch.rand(3, 1, 192, 192) > 0.3
    mask[:, :, 90:96] = False
    scale = FrameScale((95.5, 95.5), 18.0)
    for found, wanted in zip(canonical(photons, mask, scale), bin_pixels(photons, mask, 3), strict=True):
        assert torch.equal(found, wanted)


def test_a_shared_mask_and_photons_under_the_mask_change_nothing() -> None:
    photons = torch.poisson(spheres((70, 80), (30.2, 41.9), 3.1)).expand(2, -1, -1, -1)
    mask = everywhere(photons[:1])
    mask[..., 28:33] = False
    whole = canonical(photons, mask.expand(photons.shape), FrameScale((30.2, 41.9), 3.1))
    shared = canonical(torch.where(mask, photons, 1e6), mask, FrameScale((30.2, 41.9), 3.1))
    assert torch.equal(whole[0], shared[0]) and torch.equal(whole[1], shared[1].expand(whole[1].shape))
    assert (whole[0][~whole[1]] == 0).all()
    assert not whole[1].all() and whole[1].any()


def test_what_lies_beyond_the_frame_is_not_measured() -> None:
    photons = torch.ones(1, 1, 40, 100)
    for width in (6.0, 3.6):
        cells, mask = canonical(photons, everywhere(photons), FrameScale((3.0, 50.0), width))
        beyond = 32 - int(3.5 / FrameScale((3.0, 50.0), width).cell)
        assert not mask[:, :, : beyond - 1].any() and mask[:, :, beyond, 32].all()
        whole = cells[mask] / FrameScale((3.0, 50.0), width).cell ** 2
        torch.testing.assert_close(whole, torch.ones_like(whole), rtol=1e-4, atol=0)


@pytest.mark.parametrize("shape", [(300, 260), (90, 128)])
@pytest.mark.parametrize("width", [3.2, 8.1])
def test_the_canonical_pattern_does_not_depend_on_scale_and_position(shape: tuple[int, int], width: float) -> None:
    wanted = spheres((64, 64), (31.5, 31.5), 6.0)
    centre = (shape[0] / 2 + 3.3, shape[1] / 2 - 7.8)
    found, mask = canonical(
        spheres(shape, centre, width), everywhere(torch.ones(1, 1, *shape)), FrameScale(centre, width)
    )
    found = found * (6 / width) ** 2  # photons per area
    difference = (found - wanted)[mask].abs().mean() / wanted[mask].mean()
    assert difference < 0.12  # cells smaller than a pixel are as blurred as the pixels


def test_shares_of_a_pixel_add_up_and_the_beam_is_in_the_middle() -> None:
    shares = cell_shares(20.3, 0.6, 50)
    torch.testing.assert_close(shares.sum(1), torch.full((64,), 0.6, dtype=torch.float64))
    torch.testing.assert_close(shares.sum(0)[5:35], torch.ones(30, dtype=torch.float64))
    weight = shares[31] + shares[32]
    assert (weight * torch.arange(50)).sum() / weight.sum() == pytest.approx(20.3, abs=0.2)


def test_canonical_patterns_pass_as_they_are_and_others_are_refused() -> None:
    photons = torch.poisson(torch.rand(2, 1, 64, 64))
    mask = torch.rand(2, 1, 64, 64) > 0.1
    found = ScaleFree()({PHOTONS: photons, MASK: mask})
    assert torch.equal(found[:, :1], (photons * mask).log1p()) and torch.equal(found[:, 1:].bool(), mask)
    assert ScaleFree(mask_channel=False)({PHOTONS: photons, MASK: mask}).shape == (2, 1, 64, 64)
    with pytest.raises(UserError, match=r"64 x 80 pixels and no scale is known"):
        ScaleFree()({PHOTONS: torch.zeros(1, 1, 64, 80), MASK: torch.ones(1, 1, 64, 80, dtype=torch.bool)})
