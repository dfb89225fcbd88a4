"""Imperfections of the instrument, one draw per pattern: background, blur, gain, streaks, bad pixels."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics import detector

from .draws import Range, chance, log_normal, log_uniform, recipe, uniform


@recipe
class Optics:
    """Ranges of the imperfections of the instrument; all off by default.

    Attributes:
        flat: Background photons per pixel, log-uniform.
        halo_photons, halo_sigma: Median, photons, and log-normal spread of the halo.
        halo_radius: Decay length of the halo, pixel.
        halo_share: Share of the photons of the particle that the halo adds, uniform.
        blur: Gaussian width of partial coherence, pixel.
        gain_tilt: Standard deviation of the relative gain slope from centre to edge.
        streak_probability, streak_photons, streak_width: Probability, photons and width (pixel) of streaks.
    """

    flat: Range = (0.0, 0.0)
    halo_photons: float = 0.0
    halo_sigma: float = 0.0
    halo_radius: Range = (10.0, 10.0)
    halo_share: Range = (0.0, 0.0)
    blur: Range = (0.0, 0.0)
    gain_tilt: float = 0.0
    streak_probability: float = 0.0
    streak_photons: Range = (100.0, 1000.0)
    streak_width: Range = (0.7, 2.0)

    def __call__(self, signal: Tensor, beam_centre: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Expected photons of the whole measurement.

        Args:
            signal: (B, H, W) expected photons scattered by the particles.
            beam_centre: (B, 2) row, column; pixel.
            mask: (B, H, W) bool, True where measured; the halo share counts these pixels.
            generator: Random generator on the CPU.

        Returns:
            (B, H, W) expected photons.
        """
        if self == Optics():
            return signal
        count, shape, device = len(signal), (signal.shape[1], signal.shape[2]), signal.device
        drawn = {name: value.to(device) for name, value in self._draw(count, generator).items()}
        if max(self.blur) > 0:
            signal = detector.blur(signal, drawn["blur"])
        halo = drawn["halo"] + drawn["halo_share"] * (signal * mask).sum((1, 2))
        radius = detector.radius_in_pixels(shape, beam_centre)
        expected = detector.background(radius, drawn["flat"], halo, drawn["halo_radius"]).add_(signal)
        rows = drawn["streak"].nonzero()[:, 0]
        if len(rows):
            angle, photons, width = (drawn[name][rows] for name in ("angle", "streak", "streak_width"))
            expected[rows] += detector.streaks(shape, beam_centre[rows], angle, photons, width)
        return expected.mul_(detector.gain_tilt(shape, drawn["slope"])) if self.gain_tilt > 0 else expected

    def _draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        size = (count,)
        streaked = chance(self.streak_probability, size, generator)
        return {
            "flat": log_uniform(self.flat, size, generator) if min(self.flat) > 0 else torch.zeros(size),
            "halo": log_normal(self.halo_photons, self.halo_sigma, size, generator),
            "halo_radius": uniform(self.halo_radius, size, generator),
            "halo_share": uniform(self.halo_share, size, generator),
            "blur": uniform(self.blur, size, generator),
            "slope": self.gain_tilt * torch.randn(count, 2, generator=generator),
            "angle": torch.pi / 2 * torch.randint(0, 2, size, generator=generator)
            + 0.05 * torch.randn(size, generator=generator),
            "streak": streaked * log_uniform(self.streak_photons, size, generator),
            "streak_width": uniform(self.streak_width, size, generator),
        }


@recipe
class BadPixels:
    """Unmeasured pixels: the mask of a real detector, or a beam hole, gaps and dead pixels drawn per pattern.

    Attributes:
        fixed: (H, W) bool mask of a real detector, True where measured; None: none.
        hole: Edge of the square beam hole, pixel, uniform.
        gap: Rows of the horizontal gap through the centre, pixel, uniform.
        shift: Largest offset of hole and gap from the array centre, pixel.
        dead_fraction: Share of dead single pixels.
    """

    fixed: Tensor | None = None
    hole: Range = (0.0, 0.0)
    gap: Range = (0.0, 0.0)
    shift: float = 0.0
    dead_fraction: float = 0.0

    def __call__(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Masks of ``count`` patterns, (B, H, W) bool, True where measured.

        Raises:
            UserError: The fixed mask has another shape, or a pattern has no measured pixel.
        """
        mask = torch.ones(count, *shape, dtype=torch.bool)
        if self.fixed is None and max(*self.hole, *self.gap, self.dead_fraction) == 0:
            return mask
        if self.fixed is not None:
            if tuple(self.fixed.shape) != shape:
                raise UserError(
                    f"simulate.bad_pixels: the mask is {tuple(self.fixed.shape)} pixel but simulate.shape is {shape};"
                    " give a mask of that shape"
                )
            mask &= self.fixed
        offset = uniform((-self.shift, self.shift), (count, 2), generator).round()
        y = (torch.arange(shape[0]) - (shape[0] - 1) / 2)[None, :, None] - offset[:, :1, None]
        x = (torch.arange(shape[1]) - (shape[1] - 1) / 2)[None, None, :] - offset[:, 1:, None]
        hole = uniform(self.hole, (count, 1, 1), generator).round() / 2
        gap = uniform(self.gap, (count, 1, 1), generator).round() / 2
        mask &= ~((y.abs() < hole) & (x.abs() < hole)) & ~(y.abs() < gap)
        if self.dead_fraction > 0:
            mask &= ~chance(self.dead_fraction, (count, *shape), generator)
        if not mask.any(dim=(1, 2)).all():
            raise UserError(
                f"simulate.bad_pixels: hole, gap, dead pixels and mask leave nothing of {shape[0]} x {shape[1]} pixels "
                "measured; make them smaller"
            )
        return mask
