"""The particle that a structure file describes by operators on its chains (REMARK 350, _pdbx_struct_assembly)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gemmi
import numpy as np

from spi_lightning.errors import UserError

_INSTEAD: Final = "correct it or give simulate.structures.options.assembly=asymmetric_unit"
_BLANK: Final = ("", "NULL")  # a chain without an identifier, and how REMARK 350 names it


def chain_names(model: gemmi.Model) -> set[str]:
    """Names that an assembly may list: of chains (PDB) and of their parts (mmCIF's label_asym_id)."""
    return {name for chain in model for name in (chain.name, *(residue.subchain for residue in chain))}


def assembled(structure: gemmi.Structure, of_file: set[str], path: Path) -> gemmi.Model:
    """The first assembly that is listed; the first model where none is.

    Args:
        structure: As it was read, perhaps without waters.
        of_file: chain_names of the file, those of waters alone among them.
        path: For messages.

    Raises:
        UserError: The assembly names a chain that the file lacks, holds no atoms, or has an operator that is no motion.
    """
    if not structure.assemblies:
        return structure[0]
    assembly, there = structure.assemblies[0], chain_names(structure[0])
    for part in assembly.generators:
        _require_motions(part, path)
        chains = [_name(name, of_file) for name in part.chains] or ([] if part.subchains else [_name("", of_file)])
        missing = [name for name in (*chains, *part.subchains) if name not in of_file]
        if missing:
            raise UserError(
                f"{path}: the biological assembly {assembly.name} names chain {missing[0] or '(blank)'}, which is not "
                f"in the file; {_INSTEAD}"
            )
        part.chains = [name for name in chains if name in there]
        part.subchains = [name for name in part.subchains if name in there]
    model = gemmi.make_assembly(assembly, structure[0], gemmi.HowToNameCopiedChain.Dup)
    if model.count_atom_sites() == 0:
        raise UserError(f"{path}: the biological assembly {assembly.name} holds no atoms of the file; {_INSTEAD}")
    return model


def _name(name: str, of_file: set[str]) -> str:
    """A chain as the file names it."""
    return "" if name in _BLANK and name not in of_file else name


def _require_motions(part: gemmi.Assembly.Gen, path: Path) -> None:
    for operator in part.operators:
        turn = np.array(operator.transform.mat.tolist())
        shift = np.array(operator.transform.vec.tolist())
        if not (np.isfinite(shift).all() and np.allclose(turn @ turn.T, np.eye(3), atol=0.01)):
            raise UserError(
                f"{path}: operator {operator.name} of the biological assembly is no rotation and shift; {_INSTEAD}"
            )
