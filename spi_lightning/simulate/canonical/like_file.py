"""Simulator of patterns like those of a file, on its own detector or in the canonical frame."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import sqrt
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.frames.canonical import measured_share
from spi_lightning.physics.frames.frame_scale import CELLS, SPECKLE_CELLS, FrameScale

from .experiment import CanonicalGeometry
from .file_parts import KnownBackground, KnownMask
from .hits import CanonicalHitSimulator
from .light import BackgroundRecipe

ASSUMED_ENERGY: Final = 1500.0
"""Photon energy where a file states none, eV."""
ASSUMED_DIAMETER: Final = 1e-7
"""Diameter of the usual particle where distance or pixel size are unknown, m."""
ASSUMED_PIXEL: Final = 75e-6
"""Pixel edge where a file states none, m."""
_PIXELS_AT_ONCE: Final = 1 << 21  # of a block of patterns on a detector


@dataclass(kw_only=True)
class LikeFileSimulator(CanonicalHitSimulator):
    """Patterns of one experiment, known from a file, with the errors that remain of its scale.

    Attributes:
        frame: ``canonical``, 64 x 64 cells around the beam, or ``detector``, frames as the file has them.
        size: Height and width of the detector, pixel.
        mask: File (.npy) of pixels (H, W), bool, True = measured; None: all are.
        centre: Row and column of the beam, pixel.
        speckle: Width of a speckle of the usual particle, pixel.
        speckle_error: Standard deviation of the logarithm of the estimated over the true width, in the canonical frame.
        beam_error: Standard deviation of the error of the beam, cells; on the detector it is 0.
        photon_energy: Photon energy, eV; None: unknown.
        distance: Particle to detector, m; None: unknown.
        pixel_size: Pixel edge, m; None: unknown.
        level: Background, photons per pixel, at distances of 0, 0.5, 1, ... speckle widths from the beam.
        level_spread: Standard deviation of the logarithm of the background over frames.
        blank_rate: Share of frames without a hit on the detector; those that pass the hit finder are ``blanks``.
        bodies: Bodies of the particles, those of the recipe where None; all have the weight 1.
    """

    frame: Literal["canonical", "detector"] = "canonical"
    size: tuple[int, int] = (CELLS, CELLS)
    mask: str | None = None
    centre: tuple[float, float] = ((CELLS - 1) / 2, (CELLS - 1) / 2)
    speckle: float = SPECKLE_CELLS
    speckle_error: float = 0.05
    beam_error: float = 0.25
    photon_energy: float | None = None
    distance: float | None = None
    pixel_size: float | None = None
    level: Sequence[float] = (0.0,)
    level_spread: float = 0.0
    blank_rate: float = 0.0
    bodies: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.frame not in ("canonical", "detector"):
            raise UserError(f"simulate.frame={self.frame} is unknown: choose canonical or detector")
        if self.bodies is not None:
            particle = replace(self.scene.particle, bodies=dict.fromkeys(self.bodies, 1.0))
            self.scene = replace(self.scene, particle=particle)
        self.size = (int(self.size[0]), int(self.size[1]))
        scale = FrameScale((float(self.centre[0]), float(self.centre[1])), float(self.speckle))
        measured = self._measured()
        if self.frame == "canonical":
            self.shape, self.detector = (CELLS, CELLS), KnownMask(share=measured_share(measured, scale))
            self.background = self._background(self.background, scale.cell, 1.0)
            self.geometry = self._canonical_geometry(self.geometry)
        else:
            self.shape, self.detector = self.size, KnownMask(share=measured.float())
            self.background = self._background(self.background, 1.0, scale.cell)
            self.geometry = self._detector_geometry(self.geometry)
            self.background = replace(self.background, blank_halo=False)
            self.blanks, self.counting = self.blank_rate, replace(self.counting, wrong_gain=0.0)  # counts stay whole
            self.block_size = max(1, min(self.block_size, _PIXELS_AT_ONCE // (self.size[0] * self.size[1])))
        super().__post_init__()

    def _measured(self) -> Tensor:
        """Measured pixels (H, W) bool of the detector."""
        if self.mask is None:
            return torch.ones(self.size, dtype=torch.bool)
        try:
            stored = np.load(Path(self.mask), allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(f"simulate.mask={self.mask}: no array of numpy that can be read ({error})") from error
        if stored.shape != self.size or stored.dtype != np.bool_:
            kind = f"{stored.dtype} of {' x '.join(map(str, stored.shape))}"
            wanted = " x ".join(map(str, self.size))
            raise UserError(f"simulate.mask={self.mask} is {kind}; bool of {wanted} pixels is needed, True = measured")
        return torch.from_numpy(stored)

    def _background(self, light: BackgroundRecipe, cell: float, stretch: float) -> KnownBackground:
        """Light of the experiment; ``cell``: pixels of an image point, ``stretch``: points of a canonical cell."""
        kept = {one.name: getattr(light, one.name) for one in fields(BackgroundRecipe)}
        widths = ("halo_radius", "streak_width", "blur")
        kept |= {name: tuple(stretch * bound for bound in kept[name]) for name in widths}
        kept |= {"flat": 0.0, "structured": 0.0}
        return KnownBackground(
            **kept, level=self.level, level_spread=self.level_spread, speckle=self.speckle / cell, pixels=cell**2
        )

    def _known(self) -> tuple[float, float | None]:
        """Photon energy, eV, and diameter of the usual particle, m, if distance and pixel size are known."""
        energy = self.photon_energy or ASSUMED_ENERGY
        if self.distance is None or self.pixel_size is None:
            return energy, None
        return energy, wavelength_from_energy(energy) * self.distance / (self.speckle * self.pixel_size)

    def _canonical_geometry(self, drawn: CanonicalGeometry) -> CanonicalGeometry:
        """Geometry in cells: the curvature is known where distance and pixel size are, else drawn."""
        energy, diameter = self._known()
        errors: dict[str, Any] = {
            "scale_error": self.speckle_error,
            "outliers": 0.0,
            "beam_error": self.beam_error,
            "gross": 0.0,
        }
        drawn = replace(drawn, pixels=(self.speckle, self.speckle), **errors)
        if diameter is None:
            return drawn if self.photon_energy is None else replace(drawn, photon_energy=(energy, energy))
        return replace(drawn, photon_energy=(energy, energy), diameter=(diameter, diameter), largest_curvature=1.0)

    def _detector_geometry(self, drawn: CanonicalGeometry) -> CanonicalGeometry:
        """Geometry in pixels, without errors; what is unknown is assumed such that all agrees with the speckle."""
        energy, diameter = self._known()
        diameter = diameter or ASSUMED_DIAMETER
        return replace(
            drawn,
            photon_energy=(energy, energy),
            diameter=(diameter, diameter),
            largest_curvature=sqrt(2),
            speckle=self.speckle,
            pixels=(self.speckle, self.speckle),
            scale_error=0.0,
            outliers=0.0,
            beam_error=0.0,
            gross=0.0,
            beam=self.centre,
            pixel_size=self.pixel_size or ASSUMED_PIXEL,
        )
