"""Resampling of densities from the skewed axes of a rocking scan to the laboratory, and conventions of axes."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from spi_lightning.errors import UserError

FRAMES: Final = ("cxi", "xrayutilities")


def to_laboratory(
    density: Tensor, vectors: Tensor, voxel_size: float | None = None, size: tuple[int, int, int] | None = None
) -> tuple[Tensor, float]:
    """Resample densities from the skewed axes of a rocking scan to cubic voxels along laboratory z, y, x.

    Complex values are interpolated linearly, so remove a phase ramp first (phase_unwrap.remove_ramp).

    Args:
        density: (..., z, y, x) in the frame of the detector, origin at n // 2, real or complex.
        vectors: (3, 3) voxel steps, m, see BraggGeometry.voxel_vectors.
        voxel_size: Edge of the result's voxels, m; that of equal volume if None.
        size: Shape of the result; large enough for all of the array's axes through its centre if None.

    Returns:
        (..., Z, Y, X) of the same dtype, 0 outside the array, and the voxel size, m.
    """
    edge = voxel_size or float(torch.linalg.det(vectors).abs() ** (1 / 3))
    shape = torch.tensor(density.shape[-3:], dtype=torch.float64)
    if size is None:
        reach = (vectors.abs() * shape).amax(1) / edge
        size = (int(reach[0]) // 2 * 2 + 2, int(reach[1]) // 2 * 2 + 2, int(reach[2]) // 2 * 2 + 2)
    axes = [(torch.arange(n, dtype=torch.float64) - n // 2) * edge for n in size]
    position = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) @ torch.linalg.inv(vectors).T
    index = (position + shape // 2) * 2 / (shape - 1) - 1
    where = index.flip(-1)[None].to(density.device)
    values = torch.view_as_real(density) if density.is_complex() else density[..., None]
    channels = values.reshape(-1, *density.shape[-3:], values.shape[-1]).movedim(-1, 1)
    channels = channels.reshape(1, -1, *density.shape[-3:])
    sampled = F.grid_sample(channels, where.to(channels.dtype), mode="bilinear", align_corners=True)[0]
    sampled = sampled.reshape(-1, values.shape[-1], *size).movedim(1, -1).reshape(*density.shape[:-3], *size, -1)
    return (torch.view_as_complex(sampled.contiguous()) if density.is_complex() else sampled[..., 0]), edge


def to_frame(volume: Tensor, frame: str) -> Tensor:
    """Convert a laboratory volume (..., z, y, x) from the CXI convention of axes to another; see FRAMES.

    xrayutilities' x is CXI's z (downstream), its y is x (outboard), its z is y (up); the result is ordered z, y, x too.
    """
    if frame not in FRAMES:
        raise UserError(f"frame={frame!r} is unknown; choose {' or '.join(FRAMES)}")
    return volume if frame == "cxi" else volume.movedim(-3, -1)
