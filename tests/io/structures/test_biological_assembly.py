"""Assemblies of sound files are built, also where their waters were chains of their own; odd ones are one line."""

from pathlib import Path

import gemmi
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io.structures.structure import StructureOptions, read_structure
from tests.io.structures.test_structure import line, pdb

WATER = line(9, " O", "HOH", "W", "5 ", (5, 5, 5), "O", record="HETATM")


def lines(
    chains: str, name: str = "A", matrix: str = " 1.000000  0.000000  0.000000", shift: str = "30.00000"
) -> list[str]:
    """Three atoms, a water, and an assembly of two copies of some chains."""
    rows = (" 1.000000  0.000000  0.000000", " 0.000000  1.000000  0.000000", " 0.000000  0.000000  1.000000")
    remark = ["REMARK 350 BIOMOLECULE: 1", f"REMARK 350 APPLY THE FOLLOWING TO CHAINS: {chains}"]
    remark += [f"REMARK 350   BIOMT{i + 1}   1 {row}        0.00000" for i, row in enumerate(rows)]
    remark += [
        f"REMARK 350   BIOMT{i + 1}   2 {row} {shift if i == 0 else '0.00000':>14}"
        for i, row in enumerate((matrix, *rows[1:]))
    ]
    atoms = [line(i + 1, f" {a:<3}", "ALA", name, "1 ", (float(i), 1, 2), a[0]) for i, a in enumerate(("N", "CA", "C"))]
    return [*remark, *atoms, WATER]


@pytest.mark.parametrize(("chains", "name"), [("A", "A"), ("A, W", "A"), ("NULL", " "), (" ", " ")])
def test_copies_of_chains(tmp_path: Path, chains: str, name: str) -> None:
    assert read_structure(pdb(tmp_path, *lines(chains, name))).atomic_number.tolist() == [7, 6, 6] * 2


def test_mmcif_whose_assembly_lists_its_waters(tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(pdb(tmp_path, *lines("A, W"))))
    structure.setup_entities()
    (tmp_path / "1abc.cif").write_text(structure.make_mmcif_document().as_string())
    assert read_structure(tmp_path / "1abc.cif").atomic_number.tolist() == [7, 6, 6] * 2
    assert len(read_structure(tmp_path / "1abc.cif", StructureOptions(waters=True))) == 8
    (tmp_path / "1ABC.CIF").write_text((tmp_path / "1abc.cif").read_text())
    assert len(read_structure(tmp_path / "1ABC.CIF")) == 6


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lines("A, B"), "the biological assembly 1 names chain B, which is not in the file"),
        (lines("W"), "the biological assembly 1 holds no atoms of the file"),
        (lines("A", matrix=" 0.000000  0.000000  0.000000"), "operator 2 of the biological assembly is not a rotation"),
        (lines("A", matrix=" 1.000000 *********  0.000000"), "BIOMT1.* does not hold four numbers"),
        (lines("A", shift="*****"), "BIOMT1.* does not hold four numbers"),
    ],
)
def test_what_cannot_be_built_is_one_line(tmp_path: Path, made: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_structure(pdb(tmp_path, *made))
