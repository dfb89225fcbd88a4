"""Choice of the structures of a simulator: those that fit into the frame, assigned evenly to patterns."""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Final, Protocol

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.atoms.atom_table import Atoms
from spi_lightning.simulate.hits import block_seed_of

from .projected_map import OVERSAMPLING

_LONGEST_ATTRIBUTE: Final = 60_000  # bytes


class Structures(Protocol):
    """Source of the structures of a simulator, such as data.StructureSource."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Atoms: ...

    def of_part(self, part: str) -> "Structures":
        """Structures of one split: train, val or test."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Identifiers of the whole collection, by index."""
        ...

    @property
    def numbers(self) -> Sequence[int]:
        """Index in the whole collection of each structure of this part."""
        ...


def names_of(structures: Structures) -> dict[str, str]:
    """Attribute ``structures`` of a file: identifiers by index; absent beyond the 64 kB of HDF5."""
    names = ",".join(structures.names)
    return {"structures": names} if len(names) < _LONGEST_ATTRIBUTE else {}


def fitting(structures: Structures, longest: float, oversized: str) -> list[int]:
    """Indices of the structures with an oversampling of 2 or more, up to an extent ``longest``, m.

    Raises:
        UserError: A structure is larger and ``oversized`` is ``error``, none is left, or the option is unknown.
    """
    if oversized not in ("error", "skip"):
        raise UserError(f"simulate.oversized={oversized} is unknown: choose error or skip")
    usable, skipped = [], []
    for i in range(len(structures)):
        atoms = structures[i]
        if atoms.extent <= longest:
            usable.append(i)
        elif oversized == "error":
            ratio = OVERSAMPLING * longest / atoms.extent
            raise UserError(
                f"structure {atoms.name}: {atoms.extent * 1e9:.1f} nm give an oversampling of {ratio:.2f}, below 2; the"
                f" frame takes up to {longest * 1e9:.1f} nm: enlarge it, or simulate.oversized=skip"
            )
        else:
            skipped.append(atoms.name)
    if not usable:
        raise UserError(
            f"none of the {len(structures)} structures is smaller than {longest * 1e9:.1f} nm, half of the frame;"
            " enlarge simulate.projection.size or .pixel_size"
        )
    if skipped:
        counts = f"{len(skipped)} of {len(structures)} structures are"
        _say_once(f"{counts} larger than {longest * 1e9:.1f} nm and left out: {', '.join(skipped)}")
    return usable


@cache
def _say_once(line: str) -> None:
    """Log a line once, although training makes several simulators of the same structures."""
    logging.getLogger(__name__).warning(line)


def deal_structures(usable: Sequence[int], block: int, block_size: int, seed: int) -> list[int]:
    """Structure of each pattern of a block, (block_size,): all in random order, then all in another."""
    first, count = block * block_size, len(usable)
    rounds = range(first // count, (first + block_size - 1) // count + 1)
    order = torch.cat([_shuffled(count, seed, number) for number in rounds])
    start = first - rounds[0] * count
    return [usable[i] for i in order[start : start + block_size].tolist()]


def _shuffled(count: int, seed: int, number: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(block_seed_of(seed + 1, number)))
