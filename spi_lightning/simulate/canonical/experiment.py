"""Experiments in the canonical frame: wavelength, usual particle, speckle width and the errors of its estimate."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.frames.frame_scale import WHOLE
from spi_lightning.simulate.draws import Range, chance, log_uniform, recipe, uniform
from spi_lightning.simulate.scattering import Geometry


@dataclass(frozen=True)
class Experiments:
    """One experiment per pattern.

    Attributes:
        geometry: Detector geometry whose pixels are the cells of the canonical frame.
        diameter: (B,) diameter of the usual particle (sphere of the same volume), m.
        speckle: (B,) true width of the speckle of the usual particle in the canonical frame, cells.
        pixel: (B,) edge of a detector pixel, cells; pixels of 1 / n are summed to whole cells.
    """

    geometry: Geometry
    diameter: Tensor
    speckle: Tensor
    pixel: Tensor


@recipe
class CanonicalGeometry:
    """Distribution of experiments; the distance follows from the speckle width and the diameter of the usual particle.

    The canonical frame makes cells of n x n pixels where that brings the speckle within ``tolerance`` of ``speckle``
    cells, and divides pixels into cells of exactly the right size else. The width that is known is an estimate.

    Attributes:
        photon_energy: Range of the photon energy, eV, log-uniform.
        diameter: Range of the diameter of the usual particle, m, log-uniform.
        largest_curvature: Largest wavelength over diameter; beyond it the energy is raised.
        speckle: Width of a speckle in the canonical frame, cells.
        pixels: Range of the width of a speckle on the detector, pixel, log-uniform.
        tolerance: Largest relative departure from ``speckle`` of cells of whole pixels.
        scale_error: Standard deviation of the logarithm of the estimated over the true width.
        outliers, outlier_error: Share of estimates with a larger error, and its standard deviation.
        beam_error: Standard deviation of the error of the beam position, cells.
        gross, gross_error: Share of beam positions with a larger error, and its standard deviation, cells.
        pixel_size: Edge of a cell, m, to which the distance is fitted.
        beam: Row and column of the beam without errors, cells; None: the middle, or half a pixel off it.
    """

    photon_energy: Range = (200.0, 12000.0)
    diameter: Range = (15e-9, 500e-9)
    largest_curvature: float = 0.04
    speckle: float = 6.0
    pixels: Range = (2.2, 40.0)
    tolerance: float = WHOLE
    scale_error: float = 0.12
    outliers: float = 0.07
    outlier_error: float = 0.35
    beam_error: float = 0.4
    gross: float = 0.04
    gross_error: float = 2.5
    pixel_size: float = 1e-3
    beam: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.speckle > 0:
            raise UserError(f"simulate.geometry.speckle={self.speckle}: give a width above 0 cells")

    def draw(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Experiments:
        """Experiments of ``count`` patterns of ``shape`` cells."""
        diameter = log_uniform(self.diameter, (count,), generator)
        energy = log_uniform(self.photon_energy, (count,), generator)
        wavelength = torch.minimum(wavelength_from_energy(1.0) / energy, self.largest_curvature * diameter)
        width, pixel = self._cells(log_uniform(self.pixels, (count,), generator))
        spread = torch.where(chance(self.outliers, (count,), generator), self.outlier_error, self.scale_error)
        width = width * (spread * torch.randn(count, generator=generator)).exp()
        distance = width * diameter * self.pixel_size / wavelength
        offset = self._beam_offset(count, pixel, generator)
        centre = (torch.tensor(shape, dtype=torch.float32) - 1) / 2 + offset
        if self.beam is not None:
            centre = torch.tensor(self.beam, dtype=torch.float32).repeat(count, 1)
        size = torch.full((count,), self.pixel_size)
        geometry = Geometry(wavelength_from_energy(1.0) / wavelength, distance, size, centre)
        return Experiments(geometry, diameter, width, pixel)

    def _cells(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Estimated width of a speckle and edge of a pixel, cells, of speckles of ``pixels`` (B,)."""
        bins = (pixels / self.speckle).round().clamp_min(1)
        whole = (pixels / bins / self.speckle - 1).abs() <= self.tolerance
        width = torch.where(whole, pixels / bins, torch.full_like(pixels, self.speckle))
        return width, torch.where(whole, 1 / bins, self.speckle / pixels)

    def _beam_offset(self, count: int, pixel: Tensor, generator: torch.Generator) -> Tensor:
        """Offset of the beam from the middle, (B, 2) cells: rounding to whole pixels, and the error of the estimate."""
        whole = (pixel <= 1) & ((1 / pixel - (1 / pixel).round()).abs() < 1e-3)
        rounding = whole[:, None] * pixel[:, None] * uniform((-0.5, 0.5), (count, 2), generator)
        spread = torch.where(chance(self.gross, (count,), generator), self.gross_error, self.beam_error)
        return rounding + spread[:, None] * torch.randn(count, 2, generator=generator)
