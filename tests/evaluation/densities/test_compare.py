"""Densities are brought to one grid, aligned and correlated; what is not known is asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spi_lightning import compare_densities, read
from spi_lightning.codec import save
from spi_lightning.errors import UserError
from spi_lightning.evaluation.densities import DensitySettings, compare, of_array, open_density
from spi_lightning.physics.array import pad
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.physics.resampling import resampled
from spi_lightning.physics.twin import twin
from spi_lightning.results.densities import DENSITIES_FILE
from tests.reconstruction.merged_file import body

EDGE = 32
SHIFT = DensitySettings(align="shift")


def density() -> Tensor:
    return pad(body(15), [EDGE] * 3)


def noise(seed: int, level: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return level * density().std() * torch.randn(EDGE, EDGE, EDGE, generator=generator)


def test_scale_sign_shift_and_twin_do_not_matter_and_are_named(tmp_path: Path) -> None:
    moved = -3 * torch.roll(twin(density(), 3), (2, -1), (0, 2))
    found = compare([of_array(density(), "a", 2e-9), of_array(moved, "b", 2e-9)], SHIFT)
    (each,) = found.alignments
    assert each.sign == -1 and each.twin and each.shift.tolist() == pytest.approx([2, 0, -1], abs=1e-3)
    assert float(found.pairs[0].curve.min()) > 0.999 and found.metrics["fsc_0.5/crossing"] is None
    texts = [note.text for note in found.notes]
    assert any("contrast is opposite" in text for text in texts) and any("same density" in text for text in texts)
    assert "4 nm, the edge of the data" in found.period(found.pairs[0], "0.143")
    save(tmp_path / DENSITIES_FILE, found)
    again = read(tmp_path)
    np.testing.assert_array_equal(again.pairs[0].curve, found.pairs[0].curve)
    assert again.metrics == found.metrics and "FSC" in repr(again)


def test_the_resolution_is_the_full_period_where_noise_begins() -> None:
    half = fourier(density(), 3)
    radius = torch.stack(torch.meshgrid(*[torch.arange(EDGE) - 16.0] * 3, indexing="ij")).norm(dim=0)
    level = half.abs()[radius < 12].min() * 0 + half.abs().mean()
    first, second = (
        inverse_fourier(torch.where(radius < 8, half, level * fourier(noise(seed, 1.0), 3)), 3).real for seed in (0, 1)
    )
    found = compare([of_array(first, "a", 2e-9), of_array(second, "b", 2e-9)], DensitySettings(align="none"))
    for name in ("0.5", "0.143", "half_bit"):
        assert found.pairs[0].crossing[name] == pytest.approx(8 / EDGE, abs=1 / EDGE)
        assert found.metrics[f"fsc_{name}/resolution_nm"] == pytest.approx(2 / found.pairs[0].crossing[name])
    assert found.voxels[1] == 18 and found.frequency[1] == pytest.approx((6 + 12 * 2**0.5) / 18 / EDGE)


def test_unrelated_noise_agrees_no_more_than_by_chance() -> None:
    pair = [of_array(noise(seed), "a") for seed in (3, 4)]
    found = compare(pair, DensitySettings(align="none"))
    # the region of noise is a small part of the array: independent components are fewer than voxels, the band wider
    assert (np.abs(found.pairs[0].curve[2:]) <= found.chance[2:]).mean() > 0.95
    assert any("do not agree" in note.text for note in found.notes)
    assert found.names == ("a (1)", "a (2)")


def test_other_voxels_are_resampled_to_the_coarsest_and_it_is_said() -> None:
    fine = resampled(density(), [3.0] * 3, 2.0)
    assert fine.shape == (48, 48, 48)
    found = compare([of_array(density(), "a", 3e-9), of_array(fine, "b", 2e-9)], SHIFT)
    assert found.voxel == 3e-9 and float(found.pairs[0].curve[:14].min()) > 0.99
    assert "b: resampled from voxels of 2 nm to 3 nm" in [note.text for note in found.notes]


def test_an_unknown_voxel_gives_voxels_or_is_asked_for() -> None:
    known, unknown, larger = (
        of_array(density(), "a", 2e-9),
        of_array(density(), "b"),
        of_array(pad(density(), [40] * 3), "c"),
    )
    found = compare([unknown, of_array(density() + noise(1), "c")], SHIFT)
    assert not found.known and found.metrics["voxel_nm"] is None and "voxels" in found.period(found.pairs[0], "0.5")
    for pair in ([known, unknown], [unknown, larger]):
        with pytest.raises(UserError, match="does not say its voxel size"):
            compare(pair, SHIFT)
    assert compare([known, unknown], DensitySettings(align="shift", voxel_size=[None, 2e-9])).voxel == 2e-9


def test_three_densities_are_compared_two_by_two() -> None:
    found = compare([of_array(density() + noise(seed), f"{seed}", 1e-9) for seed in range(3)], SHIFT)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    assert {"1-2/fsc_0.5/crossing", "2-3/fsc_half_bit/crossing", "1-3/overlap"} <= set(found.metrics)


def test_a_soft_mask_is_controlled_by_random_phases() -> None:
    pair = [of_array(density() + noise(seed, 0.8), f"{seed}", 1e-9) for seed in (0, 1)]
    plain, masked = (compare(pair, DensitySettings(align="none", mask=mask)) for mask in (None, "soft"))
    (each,) = masked.pairs
    assert masked.mask is not None and 0.02 < float(masked.mask.mean()) < 0.5 and len(each.masked) == len(each.curve)
    np.testing.assert_allclose(each.unmasked, plain.pairs[0].curve, atol=1e-5)
    assert each.crossing["0.143"] > plain.pairs[0].crossing["0.143"] or np.isnan(each.crossing["0.143"])
    given = compare(pair, DensitySettings(align="none", mask=torch.from_numpy(masked.mask)))
    np.testing.assert_allclose(given.pairs[0].masked, each.masked, atol=1e-5)


def test_a_constant_background_is_subtracted_and_it_is_said() -> None:
    found = compare([of_array(density(), "a", 1e-9), of_array(density() + 5, "b", 1e-9)], SHIFT)
    assert found.alignments[0].overlap > 0.999 and any("background of 5" in note.text for note in found.notes)


def test_images_are_compared_by_rings() -> None:
    image = density().sum(0)
    found = compare_densities(image.numpy(), torch.rot90(image), voxel_size=1e-9)
    assert found.curve_name == "FRC" and found.element == "pixel"
    assert min(abs(found.alignments[0].angle - angle) for angle in (90, 270)) < 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"align": "turn"}, "align=turn: give one of rotation, shift, none"),
        ({"mask": "hard"}, "mask=hard"),
        ({"voxel_size": 2.0}, "edge of a voxel in m"),
        ({"mask_edge": -1}, "mask_edge"),
    ],
)
def test_settings_are_checked_where_they_are_made(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        DensitySettings(**settings)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    volume, image = of_array(density(), "a"), of_array(density()[16], "b")
    with pytest.raises(UserError, match="one kind"):
        compare([volume, image], SHIFT)
    with pytest.raises(UserError, match="two or more"):
        compare([volume], SHIFT)
    with pytest.raises(UserError, match="1 numbers for 2"):
        compare([volume, volume], DensitySettings(align="shift", voxel_size=[1e-9]))
    with pytest.raises(UserError, match="0 to 1"):
        compare([volume, volume], DensitySettings(align="shift", mask=2 * density()))
    with pytest.raises(UserError, match="no such"):
        open_density(tmp_path / "absent")
    with pytest.raises(UserError, match="holds no result"):
        open_density(tmp_path)
