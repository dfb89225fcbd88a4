"""Counting in pixels that are larger or smaller than the cells, wrong gain and hot pixels."""

from math import ceil

import torch
from torch import Tensor

from spi_lightning.physics.photons import count_photons_in_lumps
from spi_lightning.simulate.draws import Range, chance, log_uniform, recipe, uniform


@recipe
class CountingRecipe:
    """Distribution of the errors of counting.

    Attributes:
        lumps: Share of patterns with less than Poisson noise, several photons a count.
        photons_per_count: Range of the photons per count in those, uniform.
        gain: Largest relative error of the gain, uniform.
        wrong_gain: Share of patterns with it.
        hot: Share of patterns with hot pixels.
        hot_pixels: Largest number of hot pixels in those.
        hot_photons: Range of their photons, log-uniform.
        least_share: Least measured share of a cell that counts as measured.
    """

    lumps: float = 0.3
    photons_per_count: Range = (1.0, 2.5)
    gain: float = 0.1
    wrong_gain: float = 0.5
    hot: float = 0.05
    hot_pixels: int = 4
    hot_photons: Range = (3.0, 300.0)
    least_share: float = 0.05

    def __call__(
        self, expected: Tensor, share: Tensor, pixel: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Photons per cell, scaled to full cells, and the mask of the measured ones.

        Args:
            expected: (B, H, W) expected photons of whole cells.
            share: (B, H, W) measured share of each cell.
            pixel: (B,) edge of a detector pixel, cells; those of 1 / n are summed.
            generator: Random generator.
        """
        count = len(pixel)
        many = chance(self.lumps, (count,), generator)
        lump = torch.where(many, uniform(self.photons_per_count, (count,), generator), 1.0)
        photons = torch.empty_like(expected)
        split = ((1 / pixel - (1 / pixel).round()).abs() > 1e-3) | (pixel > 1 + 1e-3)
        whole = (~split).nonzero()[:, 0]
        photons[whole] = count_photons_in_lumps((expected * share)[whole], lump[whole], generator)
        rows = split.nonzero()[:, 0]
        if len(rows):
            along = [_overlaps(cells, pixel[rows], generator) for cells in expected.shape[1:]]
            found = _counted(expected[rows], share[rows], pixel[rows], (along[0], along[1]), lump[rows], generator)
            photons[rows], share = found[0], share.index_copy(0, rows, found[1])
        mask = share >= self.least_share
        photons = torch.where(mask, photons / share.clamp_min(self.least_share), 0.0)
        wrong = chance(self.wrong_gain, (count, 1, 1), generator)
        gain = 1 + wrong * uniform((-self.gain, self.gain), (count, 1, 1), generator)
        return (photons * gain + self._hot(photons, generator)) * mask, mask

    def _hot(self, photons: Tensor, generator: torch.Generator) -> Tensor:
        """Photons of hot cells, (B, H, W)."""
        count, cells = len(photons), photons[0].numel()
        where = torch.randint(cells, (count, self.hot_pixels), generator=generator)
        many = torch.randint(1, self.hot_pixels + 1, (count, 1), generator=generator)
        lit = chance(self.hot, (count, 1), generator) & (torch.arange(self.hot_pixels) < many)
        strength = (lit * log_uniform(self.hot_photons, (count, self.hot_pixels), generator)).round()
        return torch.zeros(count, cells).scatter_add_(1, where, strength).view_as(photons)


def _overlaps(cells: int, pixel: Tensor, generator: torch.Generator) -> Tensor:
    """Overlap of detector pixels with cells along one axis, (B, P, cells); cells. The first pixel begins anywhere."""
    number = ceil(cells / float(pixel.min())) + 2
    start = -pixel * torch.rand(len(pixel), generator=generator)
    low = start[:, None, None] + pixel[:, None, None] * torch.arange(number)[None, :, None]
    cell = torch.arange(cells, dtype=torch.float32)
    shared = torch.minimum(low + pixel[:, None, None], cell + 1) - torch.maximum(low, cell)
    return shared.clamp_min(0)


def _counted(
    expected: Tensor,
    share: Tensor,
    pixel: Tensor,
    overlap: tuple[Tensor, Tensor],
    lump: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Photons counted in pixels and shared over cells, and the measured share of the cells."""
    rows, columns = overlap[0], overlap[1].transpose(1, 2)
    area = pixel.square()[:, None, None]
    measured = ((rows @ share @ columns) / area > 0.5).float()
    counts = count_photons_in_lumps(rows @ expected @ columns, lump, generator) * measured
    back_rows, back_columns = rows.transpose(1, 2), columns.transpose(1, 2)
    return back_rows @ (counts / area) @ back_columns, back_rows @ measured @ back_columns
