"""Splits into training, validation and test: patterns without common particles, structures without common sequences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spi_lightning.errors import UserError
from spi_lightning.io.structures.archive import Archive, fetch_structures
from spi_lightning.io.structures.structure import StructureOptions, find_structures, read_structure, structure_id
from spi_lightning.locations import structures_folder
from spi_lightning.physics.atoms import Atoms


def split_by_particle(
    particle_id: np.ndarray,
    fractions: Mapping[str, float],
    seed: int,
    stratum: np.ndarray | None = None,
    names: tuple[str, str, str] = ("data.fractions", "patterns", "particles"),
) -> dict[str, np.ndarray]:
    """Split patterns by whole particles (models, runs), so that each split holds about its fraction of them.

    Args:
        particle_id: (N,) int64; patterns with the same number stay together.
        fractions: Share of the patterns per split, adding up to 1.
        seed: Seed of the assignment.
        stratum: (N,) stratum of each pattern, e.g. its label, split in these fractions by itself, so that small sets
            keep their mixture. A particle belongs to the stratum of its first pattern.
        names: Names of the option, of patterns and of particles, for the errors.

    Returns:
        Sorted indices (n,) int64 per split; a split of fraction 0 is empty.

    Raises:
        UserError: The fractions do not add up to 1, or no particle falls into a split.
    """
    option, items, wholes = names
    if abs(sum(fractions.values()) - 1) > 1e-6 or min(fractions.values()) < 0:
        raise UserError(f"{option}={dict(fractions)} must not be negative and must add up to 1")
    particles, first, inverse = np.unique(particle_id, return_index=True, return_inverse=True)
    patterns = np.bincount(inverse, minlength=len(particles))
    kind = np.zeros(len(particles), int) if stratum is None else np.asarray(stratum)[first]
    owner = np.empty(len(particles), dtype=np.int64)
    shares = np.array(list(fractions.values()))
    for value in np.unique(kind):
        members = np.random.default_rng(seed).permutation(np.flatnonzero(kind == value))
        owner[members] = _deal(patterns[members], shares)
    splits = {name: np.flatnonzero(owner[inverse] == number) for number, name in enumerate(fractions)}
    empty = [name for name, share in fractions.items() if share > 0 and len(splits[name]) == 0]
    if empty:
        raise UserError(
            f"{option}={dict(fractions)} leaves the split {empty[0]!r} without {items}: "
            f"{len(particle_id)} {items} of {len(particles)} {wholes} are too few"
        )
    return splits


def _deal(patterns: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Assign each particle in turn to the split furthest below its share: (P,) patterns -> (P,) split."""
    held, owner = np.zeros(len(shares)), np.empty(len(patterns), dtype=np.int64)
    for number, count in enumerate(patterns):
        behind = shares * (held.sum() + count) - held
        owner[number] = int(np.argmax(np.where(shares > 0, behind, -np.inf)))
        held[owner[number]] += count
    return owner


_WORD = 5  # residues: two chains are the same protein if half of the words of the shorter one are in the other
_SHARED = 0.5
_LENGTH, _COMPOSITION = 0.03, 0.015  # without sequences: relative residues per chain, atoms of an element per carbon


@dataclass(frozen=True)
class StructureSource:
    """Structures of files, read at first access; all of them, or a split without sequences of the others.

    Args:
        path: File or folder of structures, see io.structures.structure.find_structures; ``auto``: structures_folder().
        ids: Identifiers of the structures to use; None: all.
        archive: Archive of ids that ``path``, a folder, lacks; None: no download.
        options: Selection of the particle within a file.
        part: Split to use, ``all`` or a name of ``fractions``.
        fractions: Share of the structures in each split.
        seed: Seed of the assignment to splits.

    Indexing returns Atoms; ``numbers`` are indices in the whole collection.
    """

    path: str
    ids: tuple[str, ...] | str | None = None
    options: StructureOptions = field(default_factory=StructureOptions)
    part: str = "all"
    fractions: Mapping[str, float] = field(default_factory=lambda: {"train": 0.7, "val": 0.15, "test": 0.15})
    seed: int = 0
    archive: Archive | None = None

    @property
    def files(self) -> list[Path]:
        """Files of the whole collection."""
        return self._files

    @property
    def names(self) -> list[str]:
        """Identifiers of the whole collection."""
        return [structure_id(file) for file in self.files]

    @property
    def numbers(self) -> list[int]:
        """Indices in the whole collection of the structures of this split."""
        return self._numbers

    @property
    def content(self) -> list[Any]:
        """Content of the whole collection: names, positions, elements, which identifies a set made of it."""
        everything = [self._read(number) for number in range(len(self.files))]
        return [[one.name, one.position, one.atomic_number, one.sequences] for one in everything]

    @cached_property
    def _files(self) -> list[Path]:
        path = str(structures_folder()) if self.path == "auto" else self.path
        if self.archive is None:
            return find_structures(path, self.ids)
        if self.ids is None:
            raise UserError("simulate.structures.archive fetches the ids of a list: give simulate.structures.ids= too")
        return fetch_structures(self.ids, path, self.archive)

    @cached_property
    def _numbers(self) -> list[int]:
        if self.part == "all":
            return list(range(len(self.files)))
        if self.part not in self.fractions:
            raise UserError(
                f"simulate.structures.part={self.part} is unknown: choose all or {', '.join(self.fractions)}"
            )
        everything = [self._read(number) for number in range(len(self.files))]
        group = same_structure(everything)
        names = ("simulate.structures.fractions", "structures", "kinds by sequence")
        return [int(i) for i in split_by_particle(group, self.fractions, self.seed, names=names)[self.part]]

    def of_part(self, part: str) -> "StructureSource":
        """Structures of one split, sharing what was read."""
        other = replace(self, part=part)
        other.__dict__["_read_before"] = self._read_before
        return other

    @cached_property
    def _read_before(self) -> dict[int, Atoms]:
        return {}

    def _read(self, number: int) -> Atoms:
        if number not in self._read_before:
            self._read_before[number] = read_structure(self.files[number], self.options)
        return self._read_before[number]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Atoms:
        return self._read(self.numbers[index])


def same_structure(structures: Sequence[Atoms]) -> np.ndarray:
    """Groups of structures of similar sequence.

    Two are similar if half the five-residue words of one of their chains are in a chain of the other. Without sequences
    (tables of atoms), if their chains are equally long within 3 % and composed of N, O, S and P alike within 0.015 per
    carbon atom: this may join different proteins, which is the safe side.

    Returns:
        (N,) int64 index of the group of each structure.
    """
    pairs = [*_same_words(structures), *_same_composition(structures)]
    rows, columns = (np.array(side, dtype=np.int64) for side in (zip(*pairs, strict=True) if pairs else ((), ())))
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(structures),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _same_words(structures: Sequence[Atoms]) -> Iterable[tuple[int, int]]:
    chains = [
        (number, {sequence[i : i + _WORD] for i in range(max(1, len(sequence) - _WORD + 1))})
        for number, structure in enumerate(structures)
        for sequence in structure.sequences
    ]
    owners: dict[str, list[int]] = {}
    for chain, (number, words) in enumerate(chains):
        shared: dict[int, int] = {}
        for word in words:
            for other in owners.setdefault(word, []):
                shared[other] = shared.get(other, 0) + 1
            owners[word].append(chain)
        for other, count in shared.items():
            if count >= _SHARED * min(len(words), len(chains[other][1])):
                yield number, chains[other][0]


def _same_composition(structures: Sequence[Atoms]) -> Iterable[tuple[int, int]]:
    bare = [i for i, structure in enumerate(structures) if not structure.sequences]
    if len(bare) < 2:
        return
    length = np.array([structures[i].residues / max(1, structures[i].chains) for i in bare])
    share = np.array([_composition(structures[i]) for i in bare])
    for a in range(1, len(bare)):
        near = np.abs(length[:a] - length[a]) <= _LENGTH * np.maximum(length[:a], length[a])
        near &= (np.abs(share[:a] - share[a]) <= _COMPOSITION).all(1)
        yield from ((bare[a], bare[int(b)]) for b in np.flatnonzero(near))


def _composition(structure: Atoms) -> list[float]:
    """Atoms of N, O, S and P per atom of carbon."""
    count = np.bincount(structure.atomic_number.numpy(), minlength=17)
    return [count[z] / max(1, count[6]) for z in (7, 8, 16, 15)]
