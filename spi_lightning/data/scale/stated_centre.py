"""Beam centre of a file's frames as the user or the file states it."""

from collections.abc import Sequence

from spi_lightning.errors import UserError
from spi_lightning.io.input_window import stated_beam
from spi_lightning.io.patterns.pattern_file import PatternFile


def stated_centre(patterns: PatternFile, beam_centre: Sequence[float] | None) -> tuple[float, float] | None:
    """Row and column as the user has them, else the median of the file's, pixel; None where neither says it.

    Raises:
        UserError: What the user has is no point of the frames.
    """
    if beam_centre is not None:
        inside = len(beam_centre) == 2 and all(
            -0.5 <= at <= n - 0.5 for at, n in zip(beam_centre, patterns.shape[1:], strict=True)
        )
        if not inside:
            size = " x ".join(map(str, patterns.shape[1:]))
            raise UserError(
                f"preprocess.beam_centre={list(beam_centre)} is no row and column of frames of {size} pixels"
            )
        return float(beam_centre[0]), float(beam_centre[1])
    return stated_beam(patterns)


def middle(shape: Sequence[int]) -> tuple[float, float]:
    """Row and column of the middle of frames (H, W), pixel, where the beam of simulated patterns is."""
    return (shape[0] - 1) / 2, (shape[1] - 1) / 2
