"""PDB, mmCIF and tables of atoms: everything odd that such files hold, and everything that is wrong with them."""

import gzip
from pathlib import Path

import gemmi
import numpy as np
import pytest
import torch

from spi_lightning.data import StructureSource
from spi_lightning.data.splits import same_structure
from spi_lightning.errors import UserError
from spi_lightning.io.structures.structure import (
    StructureOptions,
    find_structures,
    read_ids,
    read_structure,
    structure_id,
)


def line(
    serial: int, name: str, residue: str, chain: str, number: str, xyz: tuple[float, float, float], element: str,
    altloc: str = " ", record: str = "ATOM",
) -> str:  # fmt: skip
    x, y, z = xyz
    return (
        f"{record:<6}{serial:>5} {name:<4}{altloc}{residue:>3} {chain}{number:>5}   "
        f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00 10.00          {element:>2}"
    )


ODD = "\n".join(
    [
        "HEADER    TEST",
        line(1, " N", "ALA", "A", "1 ", (1.0, 2.0, 3.0), "N"),
        line(2, " CA", "ALA", "A", "1 ", (2.0, 2.0, 3.0), "C", "A"),
        line(3, " CA", "ALA", "A", "1 ", (2.5, 2.0, 3.0), "C", "B"),
        line(4, " CA", "GLY", "A", "1A", (4.0, 2.0, 3.0), "C"),
        line(5, " H", "GLY", "A", "1A", (4.0, 3.0, 3.0), "H"),
        line(6, " CA", "SER", "A", "2 ", (6.0, 2.0, 3.0), "C"),
        "TER",
        line(7, "ZN", "ZN", "A", "99 ", (9.0, 2.0, 3.0), "ZN", record="HETATM"),
        line(8, " O", "HOH", "A", "200 ", (12.0, 2.0, 3.0), "O", record="HETATM"),
        "END",
        "",
    ]
)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "1odd.pdb"
    path.write_text(ODD)
    return path


def test_alternatives_insertions_ions_and_units(odd: Path) -> None:
    atoms = read_structure(odd)
    assert atoms.name == "1odd" and atoms.atomic_number.tolist() == [7, 6, 6, 6, 30]
    expected = torch.tensor([3.0, 2.0, 2.0]) * 1e-10
    torch.testing.assert_close(atoms.position[1], expected)  # z, y, x of the first alternative; m
    assert atoms.sequences == ("AGS",) and atoms.residues == 3 and atoms.electrons == 7 + 18 + 30
    assert atoms.extent == pytest.approx(8e-10, rel=1e-5)


def test_waters_and_hydrogens_stay_by_option(odd: Path) -> None:
    atoms = read_structure(odd, StructureOptions(waters=True, hydrogens=True))
    assert sorted(atoms.atomic_number.tolist()) == [1, 6, 6, 6, 7, 8, 30]


def test_packed_files_and_mmcif_hold_the_same(odd: Path) -> None:
    packed = odd.with_name("1odd.ent.gz")
    packed.write_bytes(gzip.compress(ODD.encode()))
    cif = odd.with_name("1odd.cif")
    cif.write_text(gemmi.read_structure(str(odd)).make_mmcif_document().as_string())
    for path in (packed, cif):
        atoms = read_structure(path)
        assert torch.equal(atoms.position, read_structure(odd).position) and atoms.name == "1odd"
        assert atoms.sequences == ("AGS",)


def test_the_assembly_or_the_asymmetric_unit(odd: Path) -> None:
    remark = [
        "REMARK 350 BIOMOLECULE: 1",
        "REMARK 350 APPLY THE FOLLOWING TO CHAINS: A",
        "REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000",
        "REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000",
        "REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000",
        "REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000       30.00000",
        "REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000",
        "REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000",
    ]
    odd.write_text(ODD.replace("HEADER    TEST\n", "HEADER    TEST\n" + "\n".join(remark) + "\n"))
    assert len(read_structure(odd)) == 10 and read_structure(odd).chains == 2
    assert len(read_structure(odd, StructureOptions(assembly="asymmetric_unit"))) == 5


def test_unknown_elements_are_an_error_or_left_out(odd: Path) -> None:
    odd.write_text(ODD.replace("          ZN", "           X").replace("ZN    ZN", "XX   UNX"))
    with pytest.raises(UserError, match=r"atoms of unknown element: 1, .* simulate\.structures\.options\.unknown=skip"):
        read_structure(odd)
    assert len(read_structure(odd, StructureOptions(unknown="skip"))) == 4
    with pytest.raises(UserError, match=r"structures\.unknown=ignore"):
        StructureOptions(unknown="ignore")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.pdb", b"", "holds no atoms"),
        ("text.pdb", b"hello\nworld\n", "holds no atoms"),
        ("short.pdb", b"ATOM      1  CA  ALA", "are not three numbers"),
        ("cut.pdb", ODD[: len(ODD) // 2].encode(), "truncated, its END is missing|no readable PDB"),
        ("cut.cif", b"data_x\nloop_\n_atom_site.id", "cannot be read as mmCIF"),
        ("cut.pdb.gz", gzip.compress(ODD.encode())[:-20], "Compressed file ended"),
        ("water.pdb", (line(1, " O", "HOH", "A", "1 ", (0, 0, 0), "O", record="HETATM") + "\n").encode(), "left"),
        ("none.npz", b"PK\x03\x04broken", "cannot be read"),
    ],
)
def test_damaged_files_are_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_structure(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((3, 3)), r"not \(N, 4\)"),
        (np.zeros((0, 4)), "no atoms"),
        (np.array([[0, 0, np.nan, 6]]), "coordinates that are not finite"),
        (np.array([[0, 0, 0, 0]]), "not 1 to 98"),
    ],
)
def test_damaged_tables_are_one_line(tmp_path: Path, table: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "t.npz", xyzZ=table)
    with pytest.raises(UserError, match=message):
        read_structure(tmp_path / "t.npz")


def test_folders_lists_and_ids(odd: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a structure")
    np.savez(tmp_path / "2two.npz", xyzZ=np.array([[0, 0, 0, 6.0]]))
    assert [structure_id(path) for path in find_structures(str(tmp_path))] == ["1odd", "2two"]
    assert [path.name for path in find_structures(str(tmp_path), ["2TWO"])] == ["2two.npz"]
    assert find_structures(str(odd)) == [odd] and structure_id(Path("pdb1abc.ent.gz")) == "1abc"
    with pytest.raises(UserError, match="1 of 2 ids are missing: 9zzz"):
        find_structures(str(tmp_path), ["1odd", "9zzz"])
    with pytest.raises(UserError, match="no structures were found; give a file or folder"):
        find_structures(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="list of structure ids is empty"):
        read_ids([])


def chain(folder: Path, name: str, sequence: str) -> None:
    three = dict(zip("ACDEFGHIKLMNPQRSTVWY", gemmi.expand_one_letter_sequence("ACDEFGHIKLMNPQRSTVWY", gemmi.ResidueKind.AA), strict=True))  # noqa: E501  # fmt: skip
    rows = [line(i + 1, " CA", three[s], "A", f"{i + 1} ", (3.8 * i, 0, 0), "C") for i, s in enumerate(sequence)]
    (folder / f"{name}.pdb").write_text("\n".join([*rows, "END", ""]))


def test_like_sequences_are_the_same_structure_and_never_in_two_splits(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(8):
        sequence = "".join(random.choice(list("ACDEFGHIKLMNPQRSTVWY"), 40))
        chain(tmp_path, f"a{number:03d}", sequence)
        chain(tmp_path, f"b{number:03d}", sequence[:20] + "W" + sequence[21:])  # one residue changed
    source = StructureSource(str(tmp_path), fractions={"train": 0.5, "val": 0.25, "test": 0.25})
    group = same_structure([source[i] for i in range(len(source))])
    assert len(set(group)) == 8 and (group[:8] == group[8:]).all()
    parts = [
        {name[1:] for name in (p[i].name for i in range(len(p)))} for p in map(source.of_part, ("train", "val", "test"))
    ]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert set.union(*parts) == {f"{number:03d}" for number in range(8)}


def test_tables_are_distinguished_by_length_and_composition(spi_data: Path) -> None:
    source = StructureSource(str(spi_data / "pdb"))
    assert len(source) == 132
    group = dict(zip(source.names, same_structure([source[i] for i in range(132)]), strict=True))
    assert group["1hpx"] == group["1hvi"] and group["1ema"] != group["4hhb"]  # two proteases; two unlike proteins
    assert 80 < len(set(group.values())) < 115


def pdb(folder: Path, *lines: str, before: bytes = b"") -> Path:
    path = folder / "1abc.pdb"
    path.write_bytes(before + ("\n".join([*lines, "END"]) + "\n").encode())
    return path


SIDE_CHAIN = ("N", "CA", "C", "O", "CB", "CG", "CD", "CE", "NZ")


@pytest.mark.parametrize("residue", ["LYS", "MET", "HIE", "UNK"])
def test_names_from_the_first_column_without_elements(tmp_path: Path, residue: str) -> None:
    lines = [line(i, name, residue, "A", "1 ", (float(i), 0, 0), "") for i, name in enumerate(SIDE_CHAIN, 1)]
    lines += [line(i + 20, name, "GLY", "A", "2 ", (float(i), 5, 0), "") for i, name in enumerate(SIDE_CHAIN[:4], 1)]
    numbers = {"N": 7, "C": 6, "O": 8}
    for unknown in ("error", "skip"):
        found = read_structure(pdb(tmp_path, *lines), StructureOptions(unknown=unknown)).atomic_number.tolist()
        assert found == [numbers[name[0]] for name in (*SIDE_CHAIN, *SIDE_CHAIN[:4])]


def test_ions_and_ligands_without_elements(tmp_path: Path) -> None:
    chain = [line(i, f" {name:<3}", "ALA", "A", "1 ", (float(i), 0, 0), "") for i, name in enumerate(SIDE_CHAIN[:5], 1)]
    more = [
        line(11, "CA", "CA", "A", "9 ", (1, 9, 0), "", record="HETATM"),
        line(12, "CD", "CD", "A", "10 ", (3, 9, 0), "", record="HETATM"),
        line(13, "ZN", "ZN2", "A", "11 ", (5, 9, 0), "", record="HETATM"),
        line(14, " CA", "LIG", "A", "12 ", (7, 9, 0), "", record="HETATM"),
        line(15, "CL1", "LIG", "A", "12 ", (9, 9, 0), "", record="HETATM"),
        line(16, "SE", "MSE", "A", "13 ", (9, 9, 9), "", record="HETATM"),
    ]
    assert read_structure(pdb(tmp_path, *chain, *more)).atomic_number.tolist()[5:] == [20, 48, 30, 6, 17, 34]
    left = [text[:12] + text[12:16].strip().ljust(4) + text[16:] for text in (*chain, *more)]
    with pytest.raises(UserError, match=r"unknown element: 1, the first is 'CA' \(serial 14\)"):
        read_structure(pdb(tmp_path, *left))
    skipped = read_structure(pdb(tmp_path, *left), StructureOptions(unknown="skip"))
    assert skipped.atomic_number.tolist() == [7, 6, 6, 8, 6, 20, 48, 30, 17, 34]


def test_a_trace_of_unknown_residues_is_no_calcium(tmp_path: Path) -> None:
    lines = [line(i, "CA", "XYZ", "A", f"{i} ", (float(i), 0, 0), "") for i in range(1, 5)]
    with pytest.raises(UserError, match="unknown element: 4, the first is 'CA'"):
        read_structure(pdb(tmp_path, *lines))


def test_numbers_of_lines_behind_the_name_of_an_entry_are_no_charges(tmp_path: Path) -> None:
    lines = [line(i, f" {name:<3}", "ALA", "A", "1 ", (float(i), 0, 0), "") for i, name in enumerate("NCO", 1)]
    old = [f"{text[:72]:<72}1CRN{1170 + i if i else 71:4d}" for i, text in enumerate(lines)]
    assert read_structure(pdb(tmp_path, *old)).atomic_number.tolist() == [7, 6, 8]


@pytest.mark.parametrize("element", ["", "C"])
def test_a_ligand_shows_by_itself_where_its_names_begin(tmp_path: Path, element: str) -> None:
    chain = [line(i, f" {name:<3}", "ALA", "A", "1 ", (float(i), 0, 0), "C") for i, name in enumerate(("CA", "CB"), 1)]
    ligand = [
        line(i, name, "UNL", "A", "2 ", (float(i), 9, 0), element, record="HETATM")
        for i, name in enumerate(("C1", "CD", "CE2"), 3)
    ]
    options = StructureOptions(unknown="skip")
    assert set(read_structure(pdb(tmp_path, *chain, *ligand), options).atomic_number.tolist()) == {6}
    if not element:
        with pytest.raises(UserError, match=r"unknown element: 2, the first is 'CD' \(serial 4\)"):
            read_structure(pdb(tmp_path, *chain, *ligand))


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_line_ends_of_other_systems(tmp_path: Path, end: str) -> None:
    lines = [line(i, f" {name:<3}", "ALA", "A", "1 ", (float(i), 0, 0), name[0]) for i, name in enumerate("NCO", 1)]
    path = pdb(tmp_path, *lines)
    path.write_bytes(path.read_bytes().replace(b"\n", end.encode()))
    assert len(read_structure(path)) == 3


@pytest.mark.parametrize("columns", ["*" * 24, " " * 24, "   1.000********   2.000", "     nan   1.000   2.000"])
def test_atoms_without_coordinates_are_named(tmp_path: Path, columns: str) -> None:
    good = line(1, " N", "ALA", "A", "1 ", (1, 0, 0), "N")
    bad = line(2, " CA", "ALA", "A", "1 ", (2, 0, 0), "C")
    with pytest.raises(UserError, match=r"atom CA of ALA 1 \(serial 2\) has coordinates"):
        read_structure(pdb(tmp_path, good, bad[:30] + columns + bad[54:]))


def test_a_byte_order_mark_loses_no_atom(tmp_path: Path) -> None:
    lines = [line(i, f" {name:<3}", "ALA", "A", "1 ", (float(i), 0, 0), name[0]) for i, name in enumerate("NCO", 1)]
    assert len(read_structure(pdb(tmp_path, *lines, before=b"\xef\xbb\xbf"))) == 3


@pytest.mark.parametrize("name", ["HOH", "SPC", "TIP", "SOL", "T3P", "WAT", "TP3", "XYZ"])
def test_waters_are_known_by_names_and_atoms(tmp_path: Path, name: str) -> None:
    chain = line(1, " CA", "ALA", "A", "1 ", (1, 0, 0), "C")
    names = ((" O", "O"), (" H1", "H"), (" H2", "H"))
    water = [line(2 + i, atom, name, "A", "9 ", (i, 9, 9), e, record="HETATM") for i, (atom, e) in enumerate(names)]
    assert len(read_structure(pdb(tmp_path, chain, *water))) == 1
    assert len(read_structure(pdb(tmp_path, chain, water[0]))) == (2 if name == "XYZ" else 1)
    other = line(9, " C5", name, "A", "9 ", (5, 9, 9), "C", record="HETATM")
    assert len(read_structure(pdb(tmp_path, chain, *water, other))) == 3
