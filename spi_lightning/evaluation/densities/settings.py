"""Settings of a comparison of densities; a mistake is refused when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from torch import Tensor

from spi_lightning.errors import UserError, is_number, whole_number

Align = Literal["rotation", "shift", "none"]
SOFT: Final = "soft"


@dataclass(frozen=True)
class DensitySettings:
    """Settings of a comparison, with the names and defaults of conf/compare-densities.yaml.

    Attributes:
        align: Freedoms of the alignment with the first density: ``rotation`` (with shift, twin and global phase),
            ``shift`` (with twin and global phase) or ``none`` (global phase alone).
        mask: ``soft``: the common region of the densities with a soft edge; a .npy file or (spatial) array, 0 to 1;
            None: none.
        mask_edge: Width of the soft edge, voxel.
        voxel_size: Edge of a voxel, m, of each density or of all, instead of that of the files; None: as the files say.
        seed: Seed of the randomised phases.

    Raises:
        UserError: An unknown word, or a number out of range.
    """

    align: Align = "rotation"
    mask: str | Tensor | None = None
    mask_edge: int = 4
    voxel_size: float | Sequence[float | None] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.align not in get_args(Align):
            raise UserError(f"align={self.align}: give one of {', '.join(get_args(Align))}")
        if isinstance(self.mask, str) and self.mask != SOFT and not self.mask.endswith(".npy"):
            raise UserError(f"mask={self.mask}: give {SOFT}, a .npy file of numbers from 0 to 1, or null")
        object.__setattr__(self, "mask_edge", whole_number("mask_edge", self.mask_edge, 0))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0))
        sizes = self.voxel_size if isinstance(self.voxel_size, list | tuple) else [self.voxel_size]
        for size in sizes:
            if size is not None and (not is_number(size) or not 0 < size < 1e-3):
                raise UserError(f"voxel_size={size}: give the edge of a voxel in m, such as 2e-9")

    def voxel_of(self, number: int, count: int) -> float | None:
        """Stated edge of a voxel of one of some densities, m; None where it is not stated.

        Raises:
            UserError: The list has another length.
        """
        if self.voxel_size is None or isinstance(self.voxel_size, int | float):
            return self.voxel_size
        if len(self.voxel_size) != count:
            raise UserError(
                f"voxel_size: {len(self.voxel_size)} numbers for {count} densities; give one for each, or one"
            )
        return self.voxel_size[number]
