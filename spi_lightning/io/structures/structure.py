"""Reader of macromolecular structures: PDB and mmCIF files (by gemmi) and tables of atoms (.npz)."""

import csv
import gzip
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gemmi
import numpy as np
import torch

from spi_lightning.errors import UserError
from spi_lightning.io.reading import reading, reads
from spi_lightning.physics.atoms import Atoms
from spi_lightning.printable import listed, printable

from .atom_choice import assembled, chain_names, keep_first_alternatives, remove_waters, require_coordinates
from .pdb_text import complete

SUFFIXES: Final = (".npz", ".pdb", ".ent", ".cif", ".mmcif", ".pdb.gz", ".ent.gz", ".cif.gz", ".mmcif.gz")
INDEX: Final = "index.csv"  # beside .npz tables: pdb_id, n_chains, n_amino_acids, n_nucleotides
_ANGSTROM: Final = 1e-10
_MAX_BYTES: Final = 1 << 30  # of text; the largest entries of the PDB have some hundred MB


@dataclass(frozen=True)
class StructureOptions:
    """Selection of the particle from a PDB or mmCIF file; a table of atoms is used unchanged.

    The first model and the first alternative locations are used, and occupancies ignored.

    Attributes:
        assembly: ``biological`` (the first one listed; the asymmetric unit if none is) or ``asymmetric_unit``.
        waters, hydrogens: Whether to keep water molecules, and hydrogen atoms.
        unknown: Treatment of atoms of unknown element, ``error`` or ``skip``.
    """

    assembly: str = "biological"
    waters: bool = False
    hydrogens: bool = False
    unknown: str = "error"

    def __post_init__(self) -> None:
        for name, choices in (("assembly", ("biological", "asymmetric_unit")), ("unknown", ("error", "skip"))):
            if getattr(self, name) not in choices:
                raise UserError(f"structures.{name}={getattr(self, name)} is unknown: choose {' or '.join(choices)}")


def find_structures(path: str | Sequence[str], ids: str | Sequence[str] | None = None) -> list[Path]:
    """Paths of structure files, sorted by name.

    Args:
        path: Path of a file or a folder, or a list of files.
        ids: Ids to select, in their order: a list, or a text file with ids separated by blanks, commas or line breaks.

    Raises:
        UserError: No structures were found, or an id is missing.
    """
    files = [Path(one) for one in path] if not isinstance(path, str | os.PathLike) else _in_folder(Path(path))
    if ids is None:
        return files
    by_id = {structure_id(file): file for file in files}
    wanted = read_ids(ids)
    missing = [name for name in wanted if name not in by_id]
    if missing:
        names = listed(missing, 5)
        raise UserError(f"{path}: {len(missing)} of {len(wanted)} ids are missing: {names}; fetch or remove them")
    return [by_id[name] for name in wanted]


def structure_id(path: Path) -> str:
    """Id in the name of a file, in lower case and printable: 1abc for 1ABC.pdb.gz and for pdb1abc.ent."""
    name = printable(path.name.lower())
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return name[3:] if len(name) == 7 and name.startswith("pdb") else name


def read_ids(ids: str | Sequence[str]) -> list[str]:
    """Ids in lower case, each once; from a list, or a text file in which # begins a comment."""
    if isinstance(ids, str | os.PathLike):
        with reading(ids, "a list of ids"):
            lines = Path(ids).read_text(encoding="utf-8").splitlines()
        ids = " ".join(line.split("#")[0] for line in lines).replace(",", " ").split()
    found = list(dict.fromkeys(str(name).lower() for name in ids))
    if not found:
        raise UserError("the list of structure ids is empty; give at least one")
    return found


def _in_folder(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(
            f"{path}: no structures were found; give a file or folder (simulate.structures.path=, or set SPI_DATA)"
        )
    found = sorted(file for file in path.iterdir() if file.name.lower().endswith(SUFFIXES))
    if not found:
        raise UserError(f"{path}: no structures in this folder; supported are {', '.join(SUFFIXES)}")
    return found


@reads("a structure")
def read_structure(path: str | Path, options: StructureOptions | None = None) -> Atoms:
    """Read one structure.

    Args:
        path: Path of a file with one of SUFFIXES.
        options: Selection of the particle, None for the defaults.

    Returns:
        Atoms of the particle with positions (N, 3), m, in the coordinates of the file.

    Raises:
        UserError: The file is missing, truncated, empty or damaged, or has atoms of unknown element.
    """
    path = Path(path)
    if path.name.lower().endswith(".npz"):
        return _read_table(path)
    structure = _parse(path)
    return _select(structure, path, options or StructureOptions())


def _read_table(path: Path) -> Atoms:
    """Table xyzZ (N, 4): x, y, z in Angstrom, atomic number; chains and residues from index.csv beside it."""
    with reading(path, "a table of atoms"), np.load(path) as stored:
        if "xyzZ" not in stored:
            raise UserError(f"{path}: holds no array xyzZ (N, 4); give a table of atoms")
        table = np.asarray(stored["xyzZ"], dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 4:
        raise UserError(f"{path}: xyzZ has shape {table.shape}, not (N, 4): x, y, z in Angstrom and Z; correct it")
    known = _index(path.parent).get(structure_id(path), {})
    chains = int(known.get("n_chains") or 0)
    residues = int(known.get("n_amino_acids") or 0) + int(known.get("n_nucleotides") or 0)
    return _atoms(path, table[:, :3], table[:, 3], (), chains, residues)


_INDICES: dict[Path, dict[str, dict[str, str]]] = {}


def _index(folder: Path) -> dict[str, dict[str, str]]:
    """Rows of index.csv by id; empty without the file."""
    if folder not in _INDICES:
        path = folder / INDEX
        with reading(path, "a table of structures", also=(csv.Error,)):
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []
        _INDICES[folder] = {str(row["pdb_id"]).lower(): row for row in rows if row.get("pdb_id")}
    return _INDICES[folder]


def _parse(path: Path) -> gemmi.Structure:
    """Structure of a PDB or mmCIF file, parsed by gemmi; UserError for any error of gemmi."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; check simulate.structures.path=")
    is_cif = any(part.lower() in (".cif", ".mmcif") for part in path.suffixes)
    what = "mmCIF" if is_cif else "PDB"
    with reading(path, what), path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        raw = (gzip.GzipFile(fileobj=file) if packed else file).read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise UserError(
            f"{path}: holds more than {_MAX_BYTES >> 20} MiB of text, more than any structure; copy it again"
        )
    text = "\n".join(re.split("\r\n?|\n", raw.decode("utf-8-sig", "replace")))
    if not is_cif:
        text = complete(text, path)
    form = gemmi.CoorFormat.Mmcif if is_cif else gemmi.CoorFormat.Pdb
    with reading(path, what, also=(RuntimeError, IndexError)):
        structure = gemmi.read_structure_string(text, format=form)
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise UserError(f"{path}: holds no atoms; is it a coordinate file?")
    return structure


def _select(structure: gemmi.Structure, path: Path, options: StructureOptions) -> Atoms:
    """Atoms of the first model, first alternative locations and assembly, without those the options exclude."""
    del structure[1:]
    structure.setup_entities()
    keep_first_alternatives(structure)
    chains = chain_names(structure[0])
    if not options.waters:
        remove_waters(structure)
    if not options.hydrogens:
        structure.remove_hydrogens()
    structure.remove_empty_chains()
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise UserError(f"{path}: no atoms are left without waters and hydrogens; keep them or give another file")
    require_coordinates(structure, path)
    model = assembled(structure, chains, path) if options.assembly == "biological" else structure[0]
    polymers = [chain.get_polymer() for chain in model]
    sequences = [polymer.make_one_letter_sequence().replace("-", "") for polymer in polymers if len(polymer)]
    rows = [(atom.pos.x, atom.pos.y, atom.pos.z, atom.element.atomic_number) for atom in _sites(model)]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    unknown = table[:, 3] < 1
    if unknown.any() and options.unknown == "error":
        first = next(site for site, bad in zip(_sites(model), unknown, strict=True) if bad)
        raise UserError(
            f"{path}: atoms of unknown element: {unknown.sum()}, the first is {first.name!r} (serial {first.serial});"
            " correct the element column or give simulate.structures.options.unknown=skip"
        )
    if unknown.any():
        logging.getLogger(__name__).info(
            "%s: %d of %d atoms are left out, their element is unknown", path, unknown.sum(), len(table)
        )
    table = table[~unknown]
    residues = sum(len(polymer) for polymer in polymers)
    return _atoms(path, table[:, :3], table[:, 3], tuple(sorted(set(sequences))), len(sequences), residues)


def _sites(model: gemmi.Model) -> list[gemmi.Atom]:
    return [atom for chain in model for residue in chain for atom in residue]


def _atoms(path: Path, xyz: Any, number: Any, sequences: tuple[str, ...], chains: int, residues: int) -> Atoms:
    """Atoms of coordinates (N, 3) ordered x, y, z, Angstrom, and atomic numbers (N,); UserError for impossible ones."""
    if len(xyz) == 0:
        raise UserError(f"{path}: holds no atoms; give another file")
    if not np.isfinite(xyz).all():
        raise UserError(
            f"{path}: {int((~np.isfinite(xyz)).any(1).sum())} atoms have coordinates that are not finite; correct them"
        )
    if not (np.isfinite(number).all() and (number >= 1).all() and (number <= 98).all()):
        raise UserError(f"{path}: atomic numbers from {number.min():g} to {number.max():g}, not 1 to 98; correct them")
    position = torch.from_numpy(np.ascontiguousarray(xyz[:, ::-1]) * _ANGSTROM).float()
    return Atoms(structure_id(path), position, torch.from_numpy(number.astype(np.int64)), sequences, chains, residues)
