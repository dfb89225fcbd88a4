"""From a stack of rocking frames to one 3D pattern: corrections, threshold, centring, binning and cropping."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from spi_lightning.fields import UserError

_DROPOUT = 0.5  # a monitor below this share of its median means that the beam was off
_GROUP = 4  # saturated voxels that touch and so are the top of a peak, and not hot pixels
_BORDER = 2  # a peak nearer than this to the border of the scan was not scanned through


@dataclass
class PreparedPattern:
    """A 3D pattern ready for phasing and what was done to it.

    Attributes:
        photons: (Z, Y, X) float32, 0 where mask is False; the peak lies at n // 2.
        mask: (Z, Y, X) bool, True = measured.
        bins: Voxels of the scan that were added along z, y, x.
        peak: Index (frame, row, column) of the peak in the scan.
        notes: One line for each thing that a user should know.
    """

    photons: Tensor
    mask: Tensor
    bins: tuple[int, int, int]
    peak: tuple[int, int, int]
    notes: list[str] = field(default_factory=list)

    @property
    def origin(self) -> tuple[float, float, float]:
        """Place (frame, row, column) in the scan of the middle of voxel n // 2, from which q is counted.

        Whole numbers are middles of the scan's voxels. It is the peak, or, where voxels were added, in its block.
        """
        frame, row, column = (
            place - n * step // 2 + n // 2 * step + (step - 1) / 2
            for place, n, step in zip(self.peak, self.photons.shape, self.bins, strict=True)
        )
        return frame, row, column

    @property
    def fourier_amplitude(self) -> Tensor:
        """Square root of the photons, (Z, Y, X) float32."""
        return self.photons.sqrt()


def correct_frames(
    counts: Tensor,
    whitefield: Tensor | None = None,
    bad_pixels: Tensor | None = None,
    dark: Tensor | None = None,
    monitor: Tensor | None = None,
    whitefield_mean: float | None = None,
    dark_limit: float = 1.0,
    saturation: float | None = None,
    normalise: bool = False,
    told: bool = False,
) -> tuple[Tensor, Tensor, list[str]]:
    """Correct counts of a photon-counting detector, and find the voxels that measured.

    Args:
        counts: (frames, rows, columns) counts; NaN and negative values are not measured, infinite ones are saturated.
        whitefield: (rows, columns) response; frames are divided by it and multiplied by its mean.
        bad_pixels: (rows, columns), nonzero = bad.
        dark: (rows, columns) dark counts; above ``dark_limit`` a pixel is bad. Nothing is subtracted.
        monitor: (frames,) incident intensity; a frame below half the median was taken without beam: not measured.
        whitefield_mean: Of the full detector; that of the good pixels given if None.
        saturation: Counts at or above are not measured.
        normalise: Whether to divide frames by monitor / median.
        told: Whether notes of the reader name NaN, negative and infinite values already.

    Returns:
        Corrected counts (frames, rows, columns) float32, 0 where not measured; mask bool; notes.

    Raises:
        UserError: Shapes that do not fit, or nothing measured.
    """
    notes: list[str] = []
    values = counts.float()
    mask = torch.isfinite(values) & (values >= 0)
    if not told:
        _note(notes, values.isnan().sum(), "voxels hold NaN: taken as not measured")
        _note(notes, (values < 0).sum(), "voxels hold negative counts: taken as not measured")
        _note(notes, values.isposinf().sum(), "voxels are saturated: taken as not measured")
    if saturation is not None:
        saturated = mask & (values >= saturation)
        _note(notes, saturated.sum(), f"voxels are saturated, at or above {saturation:g}: taken as not measured")
        mask &= ~saturated
    good = torch.ones(values.shape[1:], dtype=torch.bool, device=values.device)
    for name, image in (("whitefield", whitefield), ("bad_pixels", bad_pixels), ("dark", dark)):
        if image is not None and image.shape != values.shape[1:]:
            raise UserError(
                f"{name} has shape {tuple(image.shape)}, the frames {tuple(values.shape[1:])}: crop it alike"
            )
    if bad_pixels is not None:
        good &= bad_pixels == 0
    if dark is not None:
        good &= dark <= dark_limit
    if whitefield is not None:
        good &= torch.isfinite(whitefield) & (whitefield > 0)
        response = torch.where(good, whitefield.float(), 1.0)
        values = values * ((whitefield_mean or float(response[good].mean())) / response)
    _note(notes, (~good).sum(), f"of {good.numel()} detector pixels are bad: taken as not measured")
    mask &= good
    if monitor is not None:
        values, mask = _follow_monitor(values, mask, monitor, normalise, notes)
    if not mask.any():
        raise UserError("no voxel of the scan measured anything: check bad pixels, dark and saturation")
    return torch.where(mask, values, 0.0), mask, notes


def find_peak(photons: Tensor) -> tuple[int, int, int]:
    """Brightest voxel of the brightest 3 x 3 x 3 voxels: a single hot voxel is not a Bragg peak.

    Raises:
        UserError: No photons at all.
    """
    if photons.max() <= 0:
        raise UserError("the scan holds no photons above the threshold: lower threshold, or check the file")
    around = F.avg_pool3d(photons[None, None], 3, stride=1, padding=1)[0, 0]
    z, y, x = (int(i) for i in torch.unravel_index(around.argmax(), photons.shape))
    low = [max(0, i - 1) for i in (z, y, x)]
    near = photons[low[0] : z + 2, low[1] : y + 2, low[2] : x + 2]
    inner = torch.unravel_index(near.argmax(), near.shape)
    return (low[0] + int(inner[0]), low[1] + int(inner[1]), low[2] + int(inner[2]))


def saturated_voxels(counts: Tensor, saturation: float | None = None, bad_pixels: Tensor | None = None) -> Tensor:
    """Where a scan (frames, rows, columns) is infinite or at least ``saturation``, bad pixels (rows, columns) apart."""
    full = counts.isposinf() if saturation is None else counts >= saturation
    return full if bad_pixels is None else full & (bad_pixels == 0)


def find_centre(photons: Tensor, saturated: Tensor) -> tuple[int, int, int]:
    """The peak's voxel: the middle of the largest group of saturated voxels, or what find_peak says.

    Where the top of the peak is not measured, the brightest voxel left is somewhere at its rim.
    """
    if int(saturated.sum()) >= _GROUP:
        labels, _ = ndimage.label(saturated.cpu().numpy(), np.ones((3, 3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        if sizes.max() >= _GROUP:
            z, y, x = ndimage.center_of_mass(labels == 1 + int(sizes.argmax()))
            return (round(z), round(y), round(x))
    return find_peak(photons)


def cut_around(volume: Tensor, centre: tuple[int, int, int], sizes: tuple[int, int, int]) -> Tensor:
    """Cut (Z, Y, X) so that ``centre`` becomes n // 2 of ``sizes``; 0 or False where the cut leaves the array."""
    cut = volume.new_zeros(sizes)
    source, target = [], []
    for middle, size, n in zip(centre, sizes, volume.shape, strict=True):
        start = middle - size // 2
        low, high = max(0, start), min(n, start + size)
        source.append(slice(low, high))
        target.append(slice(low - start, high - start))
    cut[tuple(target)] = volume[tuple(source)]
    return cut


def bin_voxels(photons: Tensor, mask: Tensor, bins: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Add up blocks of voxels: (Z, Y, X) -> (Z / bz, Y / by, X / bx) photons and mask.

    Blocks that were measured in part are scaled to their full volume; those less than half are not measured.
    """
    block = (
        len(photons) // bins[0],
        bins[0],
        photons.shape[1] // bins[1],
        bins[1],
        photons.shape[2] // bins[2],
        bins[2],
    )
    total = torch.where(mask, photons, 0.0).reshape(block).sum((1, 3, 5))
    share = mask.reshape(block).float().mean((1, 3, 5))
    measured = share >= 0.5
    return torch.where(measured, total / share.clamp_min(0.5), 0.0), measured


def prepare(
    counts: Tensor,
    size: int | tuple[int, int, int] = 64,
    bins: int | tuple[int, int, int] = 1,
    threshold: float = 2.0,
    whitefield: Tensor | None = None,
    bad_pixels: Tensor | None = None,
    dark: Tensor | None = None,
    monitor: Tensor | None = None,
    whitefield_mean: float | None = None,
    saturation: float | None = None,
    normalise: bool = False,
    blemish: Tensor | None = None,
    told: bool = False,
) -> PreparedPattern:
    """Make a 3D pattern of a rocking scan: correct, apply the threshold, centre, bin, cut.

    Args:
        counts: (frames, rows, columns).
        size: Edge of the result, voxel; one number or one for each axis.
        bins: Voxels added along each axis; see oversampling.suggest_bins for what the data allows.
        threshold: Corrected counts at or below become 0 (they were measured: the mask stays True).
        blemish: (frames, rows, columns) bool, True where not to trust the scan, e.g. peaks of other crystals.
        whitefield, bad_pixels, dark, monitor, whitefield_mean, saturation, normalise, told: See
            correct_frames.

    Raises:
        UserError: Not three axes, nothing measured, no photons, or a peak at the border of the scan.
    """
    if counts.ndim != 3 or min(counts.shape) < 2 * _BORDER + 1:
        raise UserError(f"a scan of shape {tuple(counts.shape)}: (frames, rows, columns) of at least 5 each are needed")
    sizes, steps = _three(size, "size"), _three(bins, "bins")
    photons, mask, notes = correct_frames(
        counts,
        whitefield,
        bad_pixels,
        dark,
        monitor,
        whitefield_mean,
        saturation=saturation,
        normalise=normalise,
        told=told,
    )
    saturated = saturated_voxels(counts, saturation, bad_pixels)
    if blemish is not None:
        mask = mask & ~blemish
    photons = torch.where(mask & (photons > threshold), photons, 0.0)
    peak = find_centre(photons, saturated)
    _refuse_border(peak, photons.shape)
    whole = (sizes[0] * steps[0], sizes[1] * steps[1], sizes[2] * steps[2])
    # Rolling instead would put one side of the pattern behind the other; beyond the scan nothing was measured.
    photons, mask, clipped = (cut_around(volume, peak, whole) for volume in (photons, mask, saturated))
    photons, mask = bin_voxels(photons, mask, steps)
    if clipped.any():  # the rest of a block says nothing of its brightest voxel
        mask = mask & ~bin_voxels(clipped.float(), torch.ones_like(clipped), steps)[0].bool()
        photons = torch.where(mask, photons, 0.0)
    _note(notes, (~mask).sum(), f"of {mask.numel()} voxels were not measured and are left free")
    return PreparedPattern(photons, mask, steps, peak, notes)


def _follow_monitor(
    values: Tensor, mask: Tensor, monitor: Tensor, normalise: bool, notes: list[str]
) -> tuple[Tensor, Tensor]:
    """Drop frames without beam, and divide by the monitor if asked to."""
    if monitor.shape != (len(values),):
        raise UserError(f"monitor has shape {tuple(monitor.shape)} for {len(values)} frames")
    beam = torch.where(torch.isfinite(monitor), monitor.double(), 0.0)
    median = beam.median()
    off = beam < _DROPOUT * median
    if off.any():
        frames = ", ".join(str(i) for i in off.nonzero()[:8, 0].tolist())
        notes.append(f"the monitor dropped out in {int(off.sum())} frames ({frames}): taken as not measured")
    if normalise:
        values = values * (median / torch.where(off, median, beam)).to(values)[:, None, None]
    return values, mask & ~off[:, None, None]


def _refuse_border(peak: tuple[int, int, int], shape: torch.Size) -> None:
    for name, place, n in zip(("frame", "row", "column"), peak, shape, strict=True):
        if not _BORDER <= place < n - _BORDER:
            raise UserError(
                f"the peak is at {name} {place} of {n}, the border of the scan: scan or crop so that it is inside"
            )


def _three(value: int | tuple[int, int, int], name: str) -> tuple[int, int, int]:
    """One number for each axis."""
    three = (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)
    if len(three) != 3 or min(three) < 1:
        raise UserError(f"{name}={value}: give one whole number, or three for z, y, x, 1 or more")
    return (three[0], three[1], three[2])


def _note(notes: list[str], count: Tensor, line: str) -> None:
    if int(count):
        notes.append(f"{int(count)} {line}")
