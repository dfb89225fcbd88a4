"""Speckle width at which the answers of a trained network say most about the hits of a file.

The fit of a sphere finds the width of the speckles of particles that are about as thick as long. Of a ring it finds the
thickness, of a frame something between, and the speckles of the canonical patterns are then up to twice as narrow as
those of training. A network that was trained at one scale is in doubt at others, or takes all hits for the same. Of
some widths around the fitted one, that of the largest mutual information of hits and answers is taken, where it is
clearly larger than at the fitted width; it hardly ever is where nearly all hits are single. No label is read.

Source: Bridle, Heading & MacKay (1991), Adv. Neural Inf. Process. Syst. 4, 1096.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.data.scale.file_hits import read_frames
from spi_lightning.data.scale.scale_free import ScaleFree
from spi_lightning.data.scale.scale_notes import SCALE, summary
from spi_lightning.fields import FRAME, MASK, PHOTONS, Batch
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.notes import Note
from spi_lightning.physics.frames.frame_scale import NARROWEST, FrameScale

FACTORS: Final = (0.5, 0.63, 0.8, 0.9, 1.0, 1.1, 1.25)
"""Widths that are tried, over the fitted one; bodies whose fit is far off have narrower speckles than it says."""
CLEARLY: Final = 0.1
"""Least gain of mutual information, nat, for which the fitted width is left; the largest possible is log 2."""
_HITS: Final = 96  # that are answered at every width
_LEAST_HITS: Final = 12
_AT_ONCE: Final = 16 << 20  # bytes of photons


def take_informative_width(
    preprocess: ScaleFree, patterns: PatternFile, probability: Callable[[Batch], Tensor], device: torch.device | str
) -> list[Note]:
    """Replace the fitted width of a preprocessing by that at which a network tells most about the hits of its file.

    A width that is stated or unknown stays, and so does one that comes from fewer than 12 hits.

    Args:
        preprocess: Preprocessing with the scale of the file and the numbers of its hits.
        patterns: The file.
        probability: Map from a batch, through this preprocessing, to calibrated probabilities (B,) of a single hit.
        device: Device of the computation.

    Returns:
        Summary of the new scale, and what was changed; nothing where the fitted width stays.
    """
    fitted = preprocess.scale
    if fitted is None or fitted.width_from != "sphere fit" or len(preprocess.hits) < _LEAST_HITS:
        return []
    scales = [at_width(fitted, factor) for factor in FACTORS if factor == 1 or _is_sampled(fitted, factor)]
    answers: list[list[Tensor]] = [[] for _ in scales]
    for batch in _hits(preprocess.hits, patterns, device):
        for scale, found in zip(scales, answers, strict=True):
            preprocess.scale = scale
            found.append(probability(batch))
    preprocess.scale = fitted
    information = [float(mutual_information(torch.cat(found))) for found in answers]
    best = scales[int(np.argmax(information))]
    if max(information) < information[scales.index(fitted)] + CLEARLY:
        return []
    preprocess.scale = replace(best, width_from="network")
    line = f"a fit of spheres gives speckles of {fitted.speckle_width:.3g} pixels; the network tells hits apart best"
    text = f"{line} at {best.speckle_width:.3g}, which is taken: preprocess.speckle=PIXELS states another width"
    return [summary(preprocess.scale), Note.hint(text, SCALE)]


def mutual_information(probability: Tensor) -> Tensor:
    """Mutual information of patterns and answers, nat: entropy of the mean probability (B,) less the mean entropy.

    It is log 2 where every answer is sure and half of them are yes, 0 where all answers are alike.
    """
    return _entropy(probability.mean()) - _entropy(probability).mean()


def _entropy(probability: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(probability) + torch.special.entr(1 - probability)
    return entropy


def at_width(scale: FrameScale, factor: float) -> FrameScale:
    """A scale of another speckle width: ``factor`` times that of the given one."""
    return scale if factor == 1 else replace(scale, speckle_width=factor * scale.speckle_width)


def _is_sampled(scale: FrameScale, factor: float) -> bool:
    return factor * scale.speckle_width >= NARROWEST


def _hits(hits: NDArray[np.int64], patterns: PatternFile, device: torch.device | str) -> Iterator[Batch]:
    """Batches of at most 96 hits from all over a file."""
    frames = np.sort(hits[:: -(-len(hits) // _HITS)])
    step = max(1, _AT_ONCE // (4 * math.prod(patterns.shape[1:])))
    for start in range(0, len(frames), step):
        some = frames[start : start + step]
        photons, mask = read_frames(patterns, some, device)
        mask = mask[None, None] if mask.ndim == 2 else mask[:, None]
        yield {PHOTONS: photons[:, None], MASK: mask, FRAME: torch.from_numpy(some)}
