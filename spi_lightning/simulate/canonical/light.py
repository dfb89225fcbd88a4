"""Light of an experiment beside the particle's: flat, halo, structured background and streaks, and blur and gain."""

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.physics import detector
from spi_lightning.simulate.draws import Range, chance, log_uniform, recipe, uniform


@recipe
class BackgroundRecipe:
    """Distribution of the background, in photons of the particle, and of the imperfections of the signal.

    Attributes:
        flat, halo, structured: Share of patterns with each kind of background.
        ratio: Range of the photons of each over those of the particle within the frame, log-uniform.
        halo_radius: Range of the decay length of the halo, cells, log-uniform.
        bumps: Range of the standard deviation of the logarithm of a structured background, uniform.
        streak, streak_ratio, streak_width: Share of patterns with a streak, range of its photons over those of the
            particle, log-uniform, and of its width, cells.
        blur: Range of the Gaussian width of partial coherence and pixel area, cells.
        gain_tilt: Standard deviation of the relative gain slope from centre to edge.
    """

    flat: float = 0.75
    halo: float = 0.5
    structured: float = 0.2
    ratio: Range = (1e-3, 3.0)
    halo_radius: Range = (2.0, 24.0)
    bumps: Range = (0.2, 1.0)
    streak: float = 0.15
    streak_ratio: Range = (0.01, 1.0)
    streak_width: Range = (0.5, 2.0)
    blur: Range = (0.2, 0.9)
    gain_tilt: float = 0.05

    def __call__(self, signal: Tensor, photons: Tensor, beam: Tensor, generator: torch.Generator) -> Tensor:
        """Expected photons of the whole measurement.

        Args:
            signal: (B, H, W) expected photons of the particles.
            photons: (B,) photons within the frame by which the background is measured; of a blank frame, those that a
                particle would scatter.
            beam: (B, 2) row, column of the beam, cells.
            generator: Random generator.

        Returns:
            (B, H, W) expected photons.
        """
        count, height, width = signal.shape
        shape = (height, width)
        flat, halo, structured = (
            chance(share, (count,), generator) * log_uniform(self.ratio, (count,), generator) * photons
            for share in (self.flat, self.halo, self.structured)
        )
        radius = log_uniform(self.halo_radius, (count,), generator)
        expected = detector.blur(signal, uniform(self.blur, (count,), generator))
        distance = detector.radius_in_pixels(shape, beam)
        expected = expected + detector.background(distance, flat / (height * width), halo, radius)
        expected = expected + structured[:, None, None] * self._structure(count, shape, generator)
        expected = self._with_streaks(expected, photons, beam, generator)
        slope = self.gain_tilt * torch.randn(count, 2, generator=generator)
        return expected * detector.gain_tilt(shape, slope)

    def _structure(self, count: int, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Smooth random fields (B, H, W) > 0 of sum 1: exponentials of noise on a coarse grid."""
        noise = torch.randn(count, 1, 6, 6, generator=generator)
        smooth = F.interpolate(noise, shape, mode="bicubic", align_corners=True)[:, 0]
        field = (uniform(self.bumps, (count, 1, 1), generator) * smooth).exp()
        return field / field.sum((1, 2), keepdim=True)

    def _with_streaks(self, expected: Tensor, photons: Tensor, beam: Tensor, generator: torch.Generator) -> Tensor:
        """The expected photons with streaks through the beam, mostly along rows or columns."""
        count, shape = len(expected), (expected.shape[1], expected.shape[2])
        strength = log_uniform(self.streak_ratio, (count,), generator) * photons
        width = uniform(self.streak_width, (count,), generator)
        turn = torch.randint(0, 2, (count,), generator=generator) * torch.pi / 2
        angle = torch.where(chance(0.7, (count,), generator), turn, uniform((0.0, 3.1416), (count,), generator))
        rows = chance(self.streak, (count,), generator).nonzero()[:, 0]
        streaks = detector.streaks(shape, beam[rows], angle[rows], strength[rows], width[rows])
        return expected.index_add(0, rows, streaks)
