"""Patterns of another size than a network's: one line, or an answer on their own pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.fields import INTENSITY, MASK
from spi_lightning.io import ArrayFrames, PatternFile
from spi_lightning.methods.resized import (
    fitted_batch,
    on_coarser_pixels,
    on_finer_pixels,
    require_size,
    size_refused,
    trained_size,
)
from spi_lightning.physics.fourier import fourier

RUN = Path("run.ckpt")


def blob(size: int, edge: float, position: tuple[float, float] = (2.0, -1.0)) -> torch.Tensor:
    """A Gaussian beside the origin; ``edge`` of a pixel and its place in the same unit."""
    y, x = torch.meshgrid(*[(torch.arange(size) - size // 2).double() * edge] * 2, indexing="ij")
    return torch.exp(-((y - position[0]) ** 2 + (x - position[1]) ** 2) / 8)


def batch_of(density: torch.Tensor) -> dict[str, torch.Tensor]:
    intensity = fourier(density, 2).abs()[None, None] ** 2
    return {INTENSITY: intensity, MASK: torch.ones_like(intensity, dtype=torch.bool)}


def test_the_middle_of_a_pattern_is_that_of_the_same_density_on_larger_pixels() -> None:
    cut = fitted_batch(batch_of(blob(48, edge=1.0)), 32, "network")[INTENSITY]
    same = batch_of(blob(32, edge=1.5))[INTENSITY]
    torch.testing.assert_close(cut / cut.max(), same / same.max(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("size", "bin"), [(48, 1), (64, 2), (96, 2)])
def test_an_answer_comes_back_where_it_was(size: int, bin: int) -> None:
    whole = blob(size, edge=1.0)
    answer = blob(32, edge=size / bin / 32)[None]
    back = on_finer_pixels(answer, (size, size), bin)[0]
    assert float((back - whole).abs().max()) < (1e-9 if size // bin == 32 else 0.13)


def test_a_volume_comes_back_where_it_was() -> None:
    def ball(edges: tuple[int, ...], voxel: tuple[float, ...]) -> torch.Tensor:
        axes = [(torch.arange(n) - n // 2).double() * edge for n, edge in zip(edges, voxel, strict=True)]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        return torch.exp(-((z - 1) ** 2 + (y + 2) ** 2 + x**2) / 18)

    whole, coarse = ball((24, 16, 20), (1.0, 1.0, 1.0)), ball((16, 16, 16), (1.5, 1.0, 1.25))
    back = on_finer_pixels(coarse[None], (24, 16, 20))[0]
    assert float((back - whole)[2:-2, 2:-2, 2:-2].abs().max()) < 0.05


def test_patterns_smaller_than_the_network_are_one_line() -> None:
    with pytest.raises(UserError, match=r"RUN: .* trained on 64 x 64 pixels and the patterns have 48 x 48"):
        fitted_batch(batch_of(blob(48, 1.0)), 64, "RUN")
    with pytest.raises(UserError, match=r"binned 2 x 2: bin less \(preprocess.bin\)"):
        fitted_batch(batch_of(blob(96, 1.0)), 64, "RUN", bin=2)


def test_the_size_is_that_of_the_network_or_of_the_simulation() -> None:
    assert trained_size({"network": {"size": 64}, "simulate": {"size": 128}}) == 64
    assert trained_size({"network": {"widths": [1]}, "simulate": {"projection": {"size": 128}}}) == 128
    assert trained_size({"network": None}) is None


@pytest.mark.parametrize("edge", [16, 17, 24, 33])
def test_a_support_on_coarser_pixels_holds_what_it_held(edge: int) -> None:
    y, x = torch.meshgrid(torch.arange(edge) - edge // 2, torch.arange(edge) - edge // 2, indexing="ij")
    support = ((y / 5).square() + (x / 3).square() <= edge / 16)[None]
    coarse = on_coarser_pixels(support, 16)
    back = on_finer_pixels(coarse.float(), (edge, edge)) > 0
    assert not (support & ~back).any()
    assert coarse.sum() * (edge / 16) ** 2 < 1.8 * support.sum()
    if edge == 16:
        assert torch.equal(coarse, support)


def test_the_line_names_network_shape_and_remedy() -> None:
    message = r"unet: the network of run.ckpt cannot take patterns of 8 x 9 pixels \(.*trained"
    with pytest.raises(UserError, match=message), size_refused("unet", RUN, (8, 9)):
        torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 2, 8, 9))
    message = r"4 x 4 x 4 voxels .*; give data.size=8$"
    with pytest.raises(UserError, match=message), size_refused("wu", RUN, torch.Size((4, 4, 4)), "give data.size=8"):
        torch.zeros(2) + torch.zeros(3)


def test_other_mistakes_pass() -> None:
    with pytest.raises(RuntimeError, match="out of memory"), size_refused("unet", RUN, (8, 8)):
        raise RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="broken"), size_refused("unet", RUN, (8, 8), first=False):
        raise RuntimeError("broken")
    with size_refused("unet", RUN, (8, 8)):
        pass


def no_fringes(shape) -> PatternFile:
    return PatternFile(Path("a.h5"), "array", ArrayFrames(np.zeros((1, *shape), np.float32)))


@pytest.mark.parametrize(
    ("shape", "size", "crop", "bin", "fitting"),
    [
        ((120, 160), 64, None, 2, "set preprocess.bin=1 preprocess.crop=64"),
        ((128, 160), 64, None, 2, "set preprocess.bin=2 preprocess.crop=128"),
        ((300, 260), 64, 256, 2, "set preprocess.bin=4 preprocess.crop=256"),
        ((65, 65), 64, None, 1, "set preprocess.bin=1 preprocess.crop=64"),
        ((100, 100), 64, 128, 2, "set preprocess.bin=1 preprocess.crop=64"),
        ((65, 130), None, None, 2, "set preprocess.bin=1 preprocess.crop=64"),
        ((60, 80), 64, None, 1, "the patterns are smaller; use a checkpoint trained at this size"),
    ],
)
def test_numbers_that_fit_are_named(shape, size, crop, bin, fitting) -> None:
    wanted = "the 64 x 64 pixels" if size else "an input"
    with pytest.raises(UserError, match=rf"do not become {wanted} of the network of .*: {fitting}( \(the.*\))?$"):
        require_size(no_fringes(shape), RUN, size, crop, bin)


@pytest.mark.parametrize(
    ("shape", "size", "crop", "bin"),
    [
        ((64, 64), 64, None, 1),
        ((128, 128), 64, None, 2),
        ((150, 170), 64, 128, 2),
        ((64, 90), 64, 64, 1),
        ((66, 90), None, None, 3),
    ],
)
def test_sizes_that_fit_pass(shape, size, crop, bin) -> None:
    require_size(no_fringes(shape), RUN, size, crop, bin)
