"""Structures that a simulator draws: a collection, those that fit into the frame, and their order in the blocks."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final, Protocol, Self

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.physics.atoms import AtomBatch, Atoms, batch_atoms
from spi_lightning.physics.rotations.orientations import random_quaternions
from spi_lightning.simulate.hits import block_seed_of

OVERSAMPLING: Final = 2.0  # least ratio of frame to particle along each axis that phasing needs
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


class SimulatorOfStructures:
    """Draws that all simulators of macromolecules share; dataclasses that inherit it have the fields below.

    Attributes:
        structures: Collection of structures from which each pattern draws.
        block_size: Number of patterns per block.
        repeat: Whether a structure may serve more than one pattern.
    """

    structures: Structures
    block_size: int
    repeat: bool
    _usable: list[int]

    @property
    def most_patterns(self) -> int | None:
        """Largest number of patterns; None: no limit."""
        return None if self.repeat else len(self._usable)

    @property
    def attributes(self) -> dict[str, str]:
        """Identifiers of the whole collection by index, for the file of a set."""
        return names_of(self.structures)

    def of_part(self, part: str) -> Self:
        """This simulator with the structures of one split, see data.StructureSource."""
        return replace(self, structures=self.structures.of_part(part))  # type: ignore[type-var]

    def drawn(
        self, block: int, seed: int, device: torch.device | str
    ) -> tuple[list[int], AtomBatch, Tensor, torch.Generator, int]:
        """Structures of one block, their atoms, orientations (B, 4), and the generator and seed of all other draws."""
        block_seed = block_seed_of(seed, block)
        generator = torch.Generator().manual_seed(block_seed)
        chosen = deal_structures(self._usable, block, self.block_size, seed)
        orientation = random_quaternions(self.block_size, generator)
        return chosen, batch_atoms([self.structures[i] for i in chosen], device), orientation, generator, block_seed
