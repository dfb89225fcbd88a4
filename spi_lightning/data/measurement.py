"""Measured pattern for phasing: Fourier amplitude, mask, geometry and origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.photons import holds_counts
from spi_lightning.summary import Summarised

from .crop_to_beam import notes_of_the_origin


@dataclass(frozen=True, repr=False)
class Measurement(Summarised):
    """Measured pattern, 2D or 3D; from arrays by :meth:`from_intensity`, from files by measure_frame and measure_scan.

    Attributes:
        fourier_amplitude: (y, x) or (z, y, x) float32, sqrt of photons or relative intensity, 0 where mask is False;
            origin at n // 2.
        mask: The same shape, bool, True where measured.
        frequency_step: Frequency per pixel along each axis, 1/m; None where the geometry is not known.
        density: True density of a simulated pattern, the same shape or smaller; None where unknown.
        notes: One line for each choice of the reader and the preparation.
        counted: Whether the amplitudes are roots of photon counts; None where that is not known.
        poisson: Whether their noise is that of whole counts, neither divided nor cut; None where that is not known.
        beside: Offset of the beam from pixel n // 2 of a 2D pattern, (row, column), binned pixels; None: not known.
        bin: Measured pixels along the edge of a binned one, of a 2D pattern.
    """

    fourier_amplitude: Tensor
    mask: Tensor
    frequency_step: tuple[float, ...] | None = None
    density: Tensor | None = None
    notes: list[Note] = field(default_factory=list)
    counted: bool | None = None
    poisson: bool | None = None
    beside: tuple[float, float] | None = None
    bin: int = 1

    def facts(self) -> Mapping[str, object]:
        """Size, unit, measured share, size of a pixel of the density, and number of notes."""
        shape, steps = tuple(self.fourier_amplitude.shape), self.frequency_step
        pixels = () if steps is None else tuple(1e9 / (n * step) for n, step in zip(shape, steps, strict=True))
        return {
            "pattern": f"{' x '.join(map(str, shape))} pixels",
            "unit": "photons" if self.photons else "relative intensity",
            "sum": float(self.fourier_amplitude.square().sum(dtype=torch.float64)),
            "measured": f"{100 * float(self.mask.float().mean()):.4g} % of the pixels",
            "pixel": f"{' x '.join(f'{pixel:.3g}' for pixel in pixels)} nm of the density" if pixels else None,
            "density": "the true one is known" if self.density is not None else None,
            "notes": len(self.notes) or None,
        }

    @property
    def kind(self) -> str:
        """Kind of pattern that decides the defaults of phasing: ``plane`` of a 2D pattern, ``crystal`` of a volume."""
        return "plane" if self.mask.ndim == 2 else "crystal"

    @property
    def found_keys(self) -> dict[str, str]:
        """Names of data sets that were taken by their usual names, by the settings that would name them."""
        return {}

    @classmethod
    def from_intensity(
        cls, intensity: ArrayLike | Tensor, mask: ArrayLike | Tensor | None = None, *, counted: bool | None = None
    ) -> Measurement:
        """Measurement from an array that is centred and binned already; a beam that is clearly elsewhere is noted.

        Args:
            intensity: (y, x) or (z, y, x), photons or relative intensity, 0 or more, the beam at n // 2.
            mask: The same shape, True where measured; None: everywhere. What is not finite counts as not measured.
            counted: Whether the intensities are photon counts; None: tested where it matters.

        Raises:
            UserError: The number of axes is not 2 or 3, shapes differ, or measured intensities are negative.
        """
        values = torch.as_tensor(intensity).to(torch.float32)
        measured = torch.ones_like(values, dtype=torch.bool) if mask is None else torch.as_tensor(mask).bool()
        if values.ndim not in (2, 3) or measured.shape != values.shape:
            shapes = f"intensity {tuple(values.shape)}, mask {tuple(measured.shape)}"
            raise UserError(f"{shapes}: give one pattern, (y, x) or (z, y, x), and a mask of its shape")
        measured = measured & values.isfinite()
        kept = torch.where(measured, values, 0.0)
        if float(kept.min()) < 0:
            raise UserError(f"intensity: {int((kept < 0).sum())} measured values are negative; mask them or clip at 0")
        notes = notes_of_the_origin(kept, measured) if values.ndim == 2 and bool((kept > 0).any()) else []
        return cls(kept.sqrt(), measured, notes=notes, counted=counted)

    @cached_property
    def whole(self) -> bool:
        """Whether every squared amplitude is a whole number, as for photons neither scaled nor divided."""
        return bool(holds_counts(self.fourier_amplitude[None])[0])

    @property
    def photons(self) -> bool:
        """Whether the squared amplitudes are photons, by the reader or as whole numbers."""
        return self.whole if self.counted is None else self.counted
