"""Input of networks for supports and densities: intensity or autocorrelation, scaled to a maximum of 1."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.fields import FRAME, INTENSITY, MASK, Batch
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.support import fill_unmeasured

KINDS = (INTENSITY, "autocorrelation")
SCALES = ("none", "sqrt", "log")


class PatternInput(nn.Module):
    """Map from intensity and mask to network input (B, C, H, W) float32, each channel of maximum 1.

    The autocorrelation is the Fourier transform of the intensity, pixels that were not measured counting as 0 or
    filled, with its origin at n // 2; it is real because a real transform of a pattern's symmetric part is kept. Its
    square root rises linearly from the edge of the autocorrelation, which determines the support.

    Args:
        kinds: Channels in order, of ``intensity`` and ``autocorrelation``.
        scale: Scaling after division by the maximum: ``none`` (the paper's), ``sqrt`` (negative values count as 0) or
            ``log`` (log(1 + x / floor), rescaled to a maximum of 1).
        floor: Floor of ``log``, relative to the maximum.
        mask_channel: Whether to add the mask as the last channel.
        fill: Whether to fill unmeasured pixels before the autocorrelation, see physics.support.fill_unmeasured.
            A network trained on complete patterns then serves patterns with a hole in their central speckle too.

    Raises:
        UserError: A choice is unknown, or a pattern has no measured photon, NaN or negative intensity.

    Source: Bellisario & Ekeberg (2024), Sect. 2, and their program, which divides each pattern by its maximum.
    """

    def __init__(
        self,
        kinds: Sequence[str] = ("autocorrelation",),
        scale: str = "sqrt",
        floor: float = 1e-4,
        mask_channel: bool = False,
        fill: bool = False,
    ) -> None:
        super().__init__()
        for kind in kinds:
            if kind not in KINDS:
                raise UserError(f"preprocess.kinds={kind} is unknown: choose among {', '.join(KINDS)}")
        if scale not in SCALES:
            raise UserError(f"preprocess.scale={scale} is unknown: choose one of {', '.join(SCALES)}")
        if not kinds or floor <= 0:
            raise UserError("preprocess: kinds must name at least one channel, and floor must be above 0")
        self.kinds, self.scale, self.floor, self.mask_channel = tuple(kinds), scale, floor, mask_channel
        self.fill = fill

    def forward(self, batch: Batch) -> Tensor:
        """Network input (B, C, H, W) of intensity and mask (B, 1, H, W)."""
        mask = batch[MASK]
        intensity = torch.where(mask, batch[INTENSITY], 0.0)
        if not torch.compiler.is_exporting():  # a graph cannot raise
            self._check(intensity, batch.get(FRAME))
        made = {
            INTENSITY: lambda: intensity,
            "autocorrelation": lambda: fourier(self._filled(intensity, mask), ndim=2).real,
        }
        channels = [self._scaled(made[kind]()) for kind in self.kinds]
        return torch.cat([*channels, mask.to(intensity.dtype)] if self.mask_channel else channels, dim=1)

    def _filled(self, intensity: Tensor, mask: Tensor) -> Tensor:
        return fill_unmeasured(intensity, mask.expand_as(intensity)) if self.fill else intensity

    def _scaled(self, image: Tensor) -> Tensor:
        relative = image / image.amax(dim=(-2, -1), keepdim=True)
        if self.scale == "sqrt":
            return relative.clamp(min=0).sqrt()
        if self.scale == "log":
            return (relative.clamp(min=0) / self.floor).log1p() / (1 / relative.new_tensor(self.floor)).log1p()
        return relative

    @staticmethod
    def _check(intensity: Tensor, frame: Tensor | None) -> None:
        lowest, total = intensity.amin(dim=(1, 2, 3)), intensity.sum(dim=(1, 2, 3))
        for wrong, what in (
            ((lowest < 0) | ~torch.isfinite(total), "holds NaN, infinite or negative values; mask them out"),
            (total == 0, "has no photon in any measured pixel; leave such patterns out"),
        ):
            if bool(wrong.any()):
                first = int(wrong.nonzero()[0])
                which = "a pattern" if frame is None else f"frame {int(frame[first])}"
                also = f" (and {int(wrong.sum()) - 1} more)" if int(wrong.sum()) > 1 else ""
                raise UserError(f"intensity: {which}{also} {what}")
