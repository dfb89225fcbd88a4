"""Biological assembly of a structure file, by operators on its chains (REMARK 350, _pdbx_struct_assembly)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gemmi
import numpy as np

from spi_lightning.errors import UserError

_INSTEAD: Final = "correct it or give simulate.structures.options.assembly=asymmetric_unit"
_BLANK: Final = ("", "NULL")  # a chain without an identifier, and its name in REMARK 350


def chain_names(model: gemmi.Model) -> set[str]:
    """Names that an assembly may list: those of chains (PDB) and of subchains (mmCIF's label_asym_id)."""
    return {name for chain in model for name in (chain.name, *(residue.subchain for residue in chain))}


def assembled(structure: gemmi.Structure, of_file: set[str], path: Path) -> gemmi.Model:
    """Model of the first assembly that is listed; the first model if none is.

    Args:
        structure: Structure as read, with or without waters.
        of_file: Names of all chains in the file, also of those that hold waters alone.
        path: Path of the file, for messages.

    Raises:
        UserError: The assembly names a chain that is not in the file, holds no atoms, or has an operator that is not a
            rotation and shift.
    """
    if not structure.assemblies:
        return structure[0]
    assembly, present = structure.assemblies[0], chain_names(structure[0])
    for part in assembly.generators:
        _require_motions(part, path)
        chains = [_name(name, of_file) for name in part.chains] or ([] if part.subchains else [_name("", of_file)])
        missing = [name for name in (*chains, *part.subchains) if name not in of_file]
        if missing:
            raise UserError(
                f"{path}: the biological assembly {assembly.name} names chain {missing[0] or '(blank)'}, which is not "
                f"in the file; {_INSTEAD}"
            )
        part.chains = [name for name in chains if name in present]
        part.subchains = [name for name in part.subchains if name in present]
    model = gemmi.make_assembly(assembly, structure[0], gemmi.HowToNameCopiedChain.Dup)
    if model.count_atom_sites() == 0:
        raise UserError(f"{path}: the biological assembly {assembly.name} holds no atoms of the file; {_INSTEAD}")
    return model


def _name(name: str, of_file: set[str]) -> str:
    """Name of a chain in the file."""
    return "" if name in _BLANK and name not in of_file else name


def _require_motions(part: gemmi.Assembly.Gen, path: Path) -> None:
    for operator in part.operators:
        turn = np.array(operator.transform.mat.tolist())
        shift = np.array(operator.transform.vec.tolist())
        if not (np.isfinite(shift).all() and np.allclose(turn @ turn.T, np.eye(3), atol=0.01)):
            raise UserError(
                f"{path}: operator {operator.name} of the biological assembly is not a rotation and shift; {_INSTEAD}"
            )
