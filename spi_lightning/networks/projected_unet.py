"""Iterative network: projection of a density on the measured amplitudes and correction by a U-Net, in rounds."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.physics.fourier import fourier, inverse_fourier, odd_noise, turned
from spi_lightning.physics.twin import twin

from .support_encoder_decoder import SupportEncoderDecoder
from .unet import UNet

TINY = 1e-9
SHAKEN = 0.6  # share of the rounds before which the phases of samples are perturbed


class ProjectedUNet(nn.Module):
    """Autocorrelation, Fourier amplitude and mask (B, 3, H, W) -> density (B, 1, H, W); in training, of every round.

    A feed-forward network hedges between an object and its twin and predicts their average. Here the density of an
    encoder-decoder is projected on the measured amplitudes; a U-Net corrects it from density, projection and
    autocorrelation; its output is projected and corrected again, so that a slight lead of one twin can grow from round
    to round. The whole autocorrelation, which is twice as wide, is another channel at half its resolution; two channels
    hold the coordinates. Densities are relative to their maximum.

    Each round is trained on the output of the one before, without gradients through it. In training a random number of
    rounds without gradient goes before, so that the U-Net learns to continue from its own outputs, late ones too. A
    network trained on hedged densities alone never breaks the twin symmetry: some training patterns should start from
    the half-hidden truth (task.half_hidden).

    Args:
        size: Height and width of the pattern, pixel; a multiple of 8.
        widths: Number of maps of each level of the U-Net, finest first.
        first_widths, latent: Maps and latent size of the encoder-decoder.
        rounds: Number of rounds with gradient in training.
        warm_rounds: Largest number of rounds without gradient before them, drawn for each batch.
        answer_rounds: Number of rounds of a prediction, at a U-Net and a pair of Fourier transforms each.
        field, answer_field: Edge of the central square that the U-Net receives, as a share of the frame, in training
            and in prediction; from 1/2, all that the oversampling allows a centred particle, to 1.

    Raises:
        UserError: The channels or the size do not match, or a field is out of range.

    Source: after Bellisario & Ekeberg (2024), Fig. 2; the projection is that of error reduction, Fienup (1982).
    """

    takes_start = True

    def __init__(
        self,
        size: int = 64,
        widths: Sequence[int] = (16, 32, 64, 128),
        first_widths: Sequence[int] = (8, 16, 32),
        latent: int = 256,
        rounds: int = 2,
        warm_rounds: int = 3,
        answer_rounds: int = 16,
        field: float = 0.5,
        answer_field: float = 0.75,
    ) -> None:
        super().__init__()
        for name, share in (("field", field), ("answer_field", answer_field)):
            if not 0.5 <= share <= 1:
                raise UserError(f"network.{name}={share:g} must lie between 0.5 and 1")
        self.rounds, self.warm_rounds, self.answer_rounds = rounds, warm_rounds, answer_rounds
        self.field, self.answer_field = field, answer_field
        self.first = SupportEncoderDecoder(size, first_widths, latent, activation="none")
        self.unet = UNet(widths, dropout=0.0, in_channels=6, activation="none")
        nn.init.zeros_(self.unet.output.weight)  # the initial correction is 0

    def forward(self, pattern: Tensor, start: Tensor | None = None) -> Tensor:
        """Predict densities of patterns, optionally from initial densities.

        Args:
            pattern: (B, 3, H, W) autocorrelation, amplitude and mask, see PatternInput.
            start: (B, 1, H, W) initial densities; where all 0, that of the encoder-decoder.

        Returns:
            (B, 1, H, W); in training mode (B, 1 + rounds, H, W), the density of the encoder-decoder first.
        """
        if pattern.shape[1] != 3:
            raise UserError(
                "network projected_unet takes autocorrelation, amplitude and mask: preprocess.kinds="
                "[autocorrelation,intensity] preprocess.scale=sqrt preprocess.mask_channel=true"
            )
        answers: list[Tensor] = [self.first(pattern[:, :1])]
        density = answers[0].detach().clamp(min=0)
        if start is not None:
            density = torch.where(start.amax(dim=(-2, -1), keepdim=True) > 0, start, density)
        constant = self._constant_maps(pattern)
        if not self.training:
            for _ in range(self.answer_rounds):
                density = self._round(pattern, constant, density).clamp(min=0)
            return density
        with torch.no_grad():
            for _ in range(int(torch.randint(self.warm_rounds + 1, ()))):
                density = self._round(pattern, constant, density).clamp(min=0)
        for _ in range(self.rounds):
            answers.append(self._round(pattern, constant, density))
            density = answers[-1].detach().clamp(min=0)
        return torch.cat(answers, dim=1)

    @torch.no_grad()
    def sample(
        self, pattern: Tensor, count: int, radian: float = 1.0, seed: int = 0, support: Tensor | None = None
    ) -> Tensor:
        """Sample densities of each pattern: the unperturbed prediction, and others with perturbed phases.

        The average of an object and its twin is a fixed point that a perturbation can leave: before the first rounds
        Gaussian errors of decreasing size are added to the Fourier phases.

        Args:
            pattern: (B, 3, H, W) autocorrelation, amplitude and mask, see PatternInput.
            count: Number of samples per pattern; patterns share their noise, so that samples do not depend on the
                batch.
            radian: Standard deviation of the phase errors before the first round, rad.
            seed: Seed of the phase errors.
            support: (B, 1, H, W) bool, known support of one of the two twins, to which the samples are confined; None:
                no support.

        Returns:
            (B, count, H, W) >= 0, the unperturbed prediction first.
        """
        generator = torch.Generator().manual_seed(seed)
        begun: Tensor = self.first(pattern[:, :1]).clamp(min=0)
        if support is not None:
            begun = within(begun, support)
        density = begun.repeat_interleave(count, 0)
        inside = 1 if support is None else support.to(density.dtype).repeat_interleave(count, 0)
        constant, many = self._constant_maps(pattern).repeat_interleave(count, 0), pattern.repeat_interleave(count, 0)
        for number in range(self.answer_rounds):
            spread = radian * (1 - number / (SHAKEN * self.answer_rounds))
            if spread > 0 and count > 1:
                noise = odd_noise((count, 1, *pattern.shape[-2:]), 2, generator, density.dtype).to(density.device)
                noise[0] = 0
                density = turned(density, 2, spread * noise.repeat(len(pattern), 1, 1, 1)).clamp(min=0) * inside
            density = self._round(many, constant, density).clamp(min=0) * inside
        return density.view(len(pattern), count, *pattern.shape[-2:])

    def _round(self, pattern: Tensor, constant: Tensor, density: Tensor) -> Tensor:
        """One round: density (B, 1, H, W) after projection and correction, 0 outside the field."""
        margin, inner = self._field(pattern)
        density = nn.functional.pad(density[inner], margin)
        density = density / density.amax(dim=(-2, -1), keepdim=True).clamp(min=TINY)
        projected = project(density, pattern[:, 1:2], pattern[:, 2:3])[inner]
        correction: Tensor = self.unet(torch.cat([constant, density[inner], projected], dim=1))
        return nn.functional.pad(projected + correction, margin)

    def _constant_maps(self, pattern: Tensor) -> Tensor:
        """Input maps that are the same in all rounds, (B, 4, h, w): the autocorrelation twice, and the coordinates."""
        margin, inner = self._field(pattern)
        whole = pattern[:, :1, ::2, ::2]  # keeps the origin
        height, width = whole.shape[-2:]
        quarter = (width // 2, width // 2, height // 2, height // 2)
        whole = nn.functional.pad(whole, [have - take for have, take in zip(quarter, margin, strict=True)])
        return torch.cat([pattern[:, :1][inner], whole, coordinates(pattern)[inner]], dim=1)

    def _field(self, pattern: Tensor) -> tuple[list[int], tuple[Any, ...]]:
        """Margins left, right, top and bottom of the field, pixel, and the index that crops to it."""
        share = self.field if self.training else self.answer_field
        y, x = (int(edge * (1 - share) / 2) for edge in pattern.shape[-2:])
        height, width = pattern.shape[-2:]
        return [x, x, y, y], (..., slice(y, height - y), slice(x, width - x))


def coordinates(pattern: Tensor) -> Tensor:
    """Coordinates y and x from the origin n // 2, -1 to 1: (B, C, H, W) -> (B, 2, H, W)."""
    height, width = pattern.shape[-2:]
    y = (torch.arange(height, device=pattern.device) - height // 2).to(pattern.dtype) / (height // 2)
    x = (torch.arange(width, device=pattern.device) - width // 2).to(pattern.dtype) / (width // 2)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(len(pattern), 2, height, width)


def within(density: Tensor, support: Tensor) -> Tensor:
    """Density (B, 1, H, W) or its twin, whichever overlaps a support more, confined to it; supports are bool.

    Square roots are compared, to give weight to the faint rim in which the two differ.
    """
    other = twin(density, 2)
    held, held_of_other = ((each.sqrt() * support).sum((-2, -1), keepdim=True) for each in (density, other))
    return torch.where(held_of_other > held, other, density) * support


@torch.no_grad()
def project(density: Tensor, amplitude: Tensor, mask: Tensor) -> Tensor:
    """Projection on the measured Fourier amplitudes at the scale that fits best, phases kept.

    Args:
        density, amplitude: (B, 1, H, W) float; a density of 0 stays 0.
        mask: (B, 1, H, W) float, 1 where measured; elsewhere the amplitudes of the density stay.

    Returns:
        (B, 1, H, W) real densities.
    """
    spectrum = fourier(density, ndim=2)
    size = spectrum.abs()
    own = (size * amplitude * mask).sum((-2, -1), keepdim=True)
    scale = own / ((amplitude.square() * mask).sum((-2, -1), keepdim=True) + TINY)
    factor = torch.where(mask > 0.5, amplitude * scale / (size + TINY), 1.0)
    return inverse_fourier(spectrum * factor, ndim=2).real
