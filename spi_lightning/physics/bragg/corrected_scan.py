"""Corrected counts of a whole rocking scan: frames, mask, and defects that were left out."""

from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.notes import Note

from .empty_lines import find_empty
from .frame_correction import correct_frames, find_copies, find_exposures, saturated_voxels
from .hot_voxels import find_hot
from .peaks import BORDER

_FAINTEST: Final = 1e-9  # of the largest relative intensity: lower limit of the value of one photon


@dataclass
class CorrectedScan:
    """Counts of a whole scan after all corrections that do not depend on the cut.

    Attributes:
        photons: (frames, rows, columns) float32, 0 where mask is False.
        mask: (frames, rows, columns) bool, True = measured.
        saturated: (frames, rows, columns) bool, True where not measured because of saturation.
        counted: Whether the counts as read are whole numbers, so photons; else they are relative intensities.
        divided: Whether they were divided by a whitefield or a monitor, after which they are no longer whole numbers.
        notes: One line for each correction made.
    """

    photons: Tensor
    mask: Tensor
    saturated: Tensor
    counted: bool
    divided: bool
    notes: list[Note] = field(default_factory=list)

    def leave_out(self, bad: Tensor) -> None:
        """Mask further voxels, (frames, rows, columns) bool, as not measured."""
        self.mask = self.mask & ~bad
        self.saturated = self.saturated & ~bad
        self.photons = torch.where(self.mask, self.photons, 0.0)

    @property
    def unit(self) -> float:
        """Value of one photon: 1, or the least positive relative intensity."""
        lit = self.photons[self.photons > 0]
        return 1.0 if self.counted or not len(lit) else max(float(lit.min()), _FAINTEST * float(lit.max()))

    @property
    def with_tops(self) -> Tensor:
        """Photons (frames, rows, columns) with saturated voxels as bright as the brightest measured one."""
        return torch.where(self.saturated, self.photons.max(), self.photons)


def require_axes(counts: Tensor) -> None:
    """Refuse counts that are not (frames, rows, columns), or too short along an axis to hold a peak; UserError."""
    if counts.ndim != 3 or min(counts.shape) < 2 * BORDER + 1:
        raise UserError(f"a scan of shape {tuple(counts.shape)}: (frames, rows, columns) of at least 5 each are needed")


def correct(
    counts: Tensor,
    whitefield: Tensor | None = None,
    bad_pixels: Tensor | None = None,
    dark: Tensor | None = None,
    monitor: Tensor | None = None,
    whitefield_mean: float | None = None,
    saturation: float | None = None,
    normalise: bool = False,
    noted_by_reader: bool = False,
    defects: bool = True,
) -> CorrectedScan:
    """Correct the counts of a scan, and mask dropped frames, dead lines, hot pixels and zingers if ``defects``.

    Args:
        counts: (frames, rows, columns) counts as read.
        whitefield, bad_pixels, dark, monitor: Images and values of the detector, as in correct_frames.
        whitefield_mean, saturation, normalise, noted_by_reader: Options of the correction, as in correct_frames.
        defects: Whether to search for defects; False: every finite count is taken as measured.

    Raises:
        UserError: The counts have not three axes, or nothing was measured.
    """
    require_axes(counts)
    finite = counts[torch.isfinite(counts) & (counts >= 0)]
    counted = bool((finite == finite.round()).all())
    photons, mask, notes = correct_frames(
        counts,
        whitefield,
        bad_pixels,
        dark,
        monitor,
        whitefield_mean,
        saturation=saturation,
        normalise=normalise,
        noted_by_reader=noted_by_reader,
    )
    saturated = saturated_voxels(counts, saturation, bad_pixels)
    scan = CorrectedScan(photons, mask, saturated, counted, whitefield is not None or normalise, notes)
    if not counted:
        notes.append(
            Note.of(
                "the counts are not whole numbers: taken as relative intensities, so nothing is said of photon noise"
            )
        )
    if defects:
        _leave_out_defects(scan)
    return scan


def _leave_out_defects(scan: CorrectedScan) -> None:
    """Mask whole frames first, in which all voxels seem hot, then hot voxels, beside which a line seems empty."""
    if not bool((scan.photons > 0).any()):
        return
    unit = scan.unit
    for find in (find_copies, find_exposures, find_hot, find_empty):
        found, notes = find(scan.with_tops, scan.mask | scan.saturated, unit)
        scan.leave_out(found)
        scan.notes += notes
