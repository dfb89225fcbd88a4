"""Comparison of densities of files, run folders and arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from spi_lightning.evaluation.densities import DensitySettings, OpenDensity, compare, of_array, open_density
from spi_lightning.results import PhasingResult
from spi_lightning.results.densities import DensityComparison

from .python_words import in_python

Density = PhasingResult | ArrayLike | Tensor | str | os.PathLike[str]
"""What compare_densities takes: a result, an array (y, x) or (z, y, x), a run folder, or a file of a density."""


@in_python
def compare_densities(
    *densities: Density,
    align: str = "rotation",
    mask: str | ArrayLike | Tensor | None = None,
    mask_edge: int = 4,
    voxel_size: float | Sequence[float | None] | None = None,
    seed: int = 0,
) -> DensityComparison:
    """Correlate two or more densities shell by shell (FSC, in 2D FRC) after their alignment with the first.

    Args:
        densities: Results of phase, arrays (y, x) or (z, y, x), run folders, or files (CXI, MRC, VTI, NPZ, NPY).
        align: Freedoms of the alignment: ``rotation`` (with shift, twin and global phase), ``shift`` (with twin and
            global phase), as of halves of one merged intensity, or ``none`` (global phase alone).
        mask: ``soft``: the common region with a soft edge; an array or .npy file, 0 to 1; None: none. Within a mask
            the correlation is corrected by that of randomised phases.
        mask_edge: Width of the soft edge, voxel.
        voxel_size: Edge of a voxel, m, of all or of each density, instead of what the files say.
        seed: Seed of the randomised phases.

    Returns:
        The comparison: ``pairs`` with their curves and crossings, ``alignments``, the aligned ``densities``.

    Raises:
        UserError: Something that holds no density, or densities that cannot be brought to one grid.

    Examples:
        >>> import numpy as np
        >>> from spi_lightning import compare_densities
        >>> z, y, x = np.indices((16, 16, 16)) - 8
        >>> body = (abs(z) < 5) * (abs(y + z / 3) < 4) * (abs(x) < 2) * (1.0 + (z > 2) * (y > 0))
        >>> compared = compare_densities(body, -2 * np.rot90(body, 1, (1, 2)), voxel_size=2e-9)
        >>> compared.alignments[0].sign, round(compared.alignments[0].angle)
        (-1, 90)
    """
    words: Any = {"align": align, "mask_edge": mask_edge, "voxel_size": voxel_size, "seed": seed}
    settings = DensitySettings(mask=mask if mask is None or isinstance(mask, str) else torch.as_tensor(mask), **words)
    return compare([_open(each, number) for number, each in enumerate(densities, 1)], settings)


def _open(density: Any, number: int) -> OpenDensity:
    """One density of whatever kind."""
    if isinstance(density, str | os.PathLike):
        return open_density(density)
    if isinstance(density, PhasingResult):
        made = of_array(density.density, f"density {number}")
        voxel = tuple(map(float, density.pixel)) if density.known else None
        return OpenDensity(
            made.name, density.about.data, made.values, voxel, torch.from_numpy(density.support), density.about.frame
        )
    return of_array(density, f"density {number}")
