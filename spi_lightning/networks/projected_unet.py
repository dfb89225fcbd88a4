"""A network that looks again: its density is made to fit the measured amplitudes, and a U-Net corrects the outcome."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spi_lightning.fields import UserError
from spi_lightning.networks.support_encoder_decoder import SupportEncoderDecoder
from spi_lightning.networks.unet import UNet
from spi_lightning.physics.fourier import fourier, inverse_fourier

TINY = 1e-9


class ProjectedUNet(nn.Module):
    """Autocorrelation, Fourier amplitude and mask (B, 3, H, W) -> density (B, 1, H, W); while training, every round.

    A network that answers at once hedges: it must choose between an object and its twin before it has seen either, and
    gives something between the two. Here the answer of an encoder-decoder, which can carry what it sees anywhere, is
    projected on the measured amplitudes and shown to a U-Net together with itself and the autocorrelation; what the
    U-Net makes of it is projected and shown again, so that a slight lead of one twin can grow from round to round. Two
    channels hold the coordinates.

    Each round learns from what the one before left, without gradients through it. A U-Net that has seen only hedged
    answers never learns to take a side: let some training patterns start from a hint, the truth half hidden
    (task.hints).

    Args:
        size: Height and width of the pattern, pixel; a multiple of 8.
        widths: Maps of each level of the U-Net, finest first.
        first_widths, latent: Of the encoder-decoder.
        rounds: How often the U-Net is asked in training.
        answer_rounds: The same for an answer; a U-Net and a pair of Fourier transforms each.
        field: Edge of the central square in which the U-Net sees the density, as a share of the frame.

    Raises:
        UserError: Other channels; another size.

    Source: ours, on Bellisario & Ekeberg (2024), Fig. 2; the projection is that of error reduction, Fienup (1982).
    """

    takes_start = True

    def __init__(
        self,
        size: int = 64,
        widths: Sequence[int] = (12, 24, 48, 96),
        first_widths: Sequence[int] = (8, 16, 32),
        latent: int = 256,
        rounds: int = 2,
        answer_rounds: int = 4,
        field: float = 0.75,
    ) -> None:
        super().__init__()
        self.rounds, self.answer_rounds, self.field = rounds, answer_rounds, field
        self.first = SupportEncoderDecoder(size, first_widths, latent, activation="none")
        self.unet = UNet(widths, dropout=0.0, in_channels=5, activation="none")

    def forward(self, pattern: Tensor, start: Tensor | None = None) -> Tensor:
        """Answer patterns, some of them from a given start.

        Args:
            pattern: (B, 3, H, W), see PatternInput.
            start: (B, 1, H, W) densities for the U-Net to begin with; where 0, the encoder-decoder's answer is.

        Returns:
            (B, 1, H, W); in training mode (B, 1 + rounds, H, W), the encoder-decoder's answer first.
        """
        if pattern.shape[1] != 3:
            raise UserError(
                "network projected_unet takes autocorrelation, amplitude and mask: preprocess.kinds="
                "[autocorrelation,intensity] preprocess.scale=sqrt preprocess.mask_channel=true."
            )
        amplitude, mask = pattern[:, 1:2], pattern[:, 2:3]
        margin = [int(n * (1 - self.field) / 2) for n in pattern.shape[-2:]]
        inner = (..., slice(margin[0], -margin[0] or None), slice(margin[1], -margin[1] or None))
        seen = torch.cat([pattern[:, :1], coordinates(pattern)], dim=1)[inner]
        answers = [self.first(pattern[:, :1])]
        density = answers[0].detach().clamp(min=0)
        if start is not None:
            density = torch.where(start.amax(dim=(-2, -1), keepdim=True) > 0, start, density)
        projected = project(density, amplitude, mask)
        for _ in range(self.rounds if self.training else self.answer_rounds):
            correction = self.unet(torch.cat([seen, density[inner], projected[inner]], dim=1))
            answer = nn.functional.pad(projected[inner] + correction, (margin[1], margin[1], margin[0], margin[0]))
            answers.append(answer)
            density = answer.detach().clamp(min=0)
            projected = project(density, amplitude, mask)
        return torch.cat(answers, dim=1) if self.training else answers[-1]


def coordinates(pattern: Tensor) -> Tensor:
    """Coordinates y and x from the origin n // 2, -1 to 1: (B, C, H, W) -> (B, 2, H, W)."""
    height, width = pattern.shape[-2:]
    y = (torch.arange(height, device=pattern.device) - height // 2).to(pattern.dtype) / (height // 2)
    x = (torch.arange(width, device=pattern.device) - width // 2).to(pattern.dtype) / (width // 2)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(len(pattern), 2, height, width)


@torch.no_grad()
def project(density: Tensor, amplitude: Tensor, mask: Tensor) -> Tensor:
    """Put the measured amplitudes in place of a density's own, at the scale that fits best; phases are kept.

    Args:
        density, amplitude: (B, 1, H, W); a density of 0 stays 0.
        mask: (B, 1, H, W), 1 measured; elsewhere the density's own amplitudes stay.

    Returns:
        (B, 1, H, W) real.
    """
    spectrum = fourier(density, ndim=2)
    size = spectrum.abs()
    own = (size * amplitude * mask).sum((-2, -1), keepdim=True)
    scale = own / ((amplitude.square() * mask).sum((-2, -1), keepdim=True) + TINY)
    factor = torch.where(mask > 0.5, amplitude * scale / (size + TINY), 1.0)
    return inverse_fourier(spectrum * factor, ndim=2).real
