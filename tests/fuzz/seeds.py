"""Small sound files of every format that is read, each with what reads it."""

import gzip
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import gemmi
import h5py
import numpy as np
import tifffile
import torch

from spi_lightning.io import (
    CxiWriter,
    PatternKeys,
    ScanKeys,
    make_detector,
    open_patterns,
    open_scan,
    write_detector,
    write_emc,
    write_mrc,
    write_npz,
    write_vti,
)
from spi_lightning.io.contents import photon_statistics
from spi_lightning.io.dragonfly.output import read_output, read_quaternions
from spi_lightning.io.structures.structure import read_ids, read_structure
from spi_lightning.io.volumes.cxi_image import CxiImage, read_cxi_image, write_cxi_image
from spi_lightning.io.volumes.laboratory_file import read_laboratory
from spi_lightning.io.volumes.mrc import read_mrc
from spi_lightning.io.volumes.npz import read_volume
from spi_lightning.io.volumes.vti import read_vti
from spi_lightning.reports.contents import contents_table, photon_table
from spi_lightning.tasks.checkpoint import read_checkpoint
from tests.fuzz.engine import Seed

N, ROWS, COLUMNS = 6, 12, 16
MOST = 64  # frames that are read of a file, however many it announces


def hits(path: Path, of: Path | None = None, **keys: str) -> None:
    """Everything that evaluate and describe read of a file of patterns."""
    file = open_patterns(of or path, PatternKeys(**keys))
    index = np.unique([*range(min(len(file), MOST)), len(file) - 1])
    file.read(index)
    file.read_mask(index)
    for name in file.images:
        file.read_image(name, index)
    contents_table(file, "photons")
    photon_table(photon_statistics(file, index), len(file))


def scan(path: Path, of: Path | None = None, keys: ScanKeys | None = None, spec: Path | None = None) -> None:
    """A rocking scan as apps.phase reads it."""
    open_scan(of or path, keys, str(spec) if spec else None, 3 if spec else None)


def vti(path: Path) -> None:
    """Arrays."""
    read_vti(path)


def seeds(folder: Path) -> Iterator[Seed]:
    """Write all seeds into an empty folder, each into its own, and yield them."""
    for make in (_hdf5_hits, _other_hits, _side_files, _scans, _structures, _volumes, _dragonfly, _checkpoint):
        yield from make(folder)


def _photons() -> np.ndarray:
    return np.random.default_rng(0).poisson(0.5, (N, ROWS, COLUMNS)).astype(np.uint16)


def _in(folder: Path, name: str) -> Path:
    """A path in a new folder of its own."""
    path = folder / name.replace(".", "_").replace("/", "_") / Path(name).name
    path.parent.mkdir(parents=True)
    return path


def _fill(path: Path, **options: object) -> Path:
    with h5py.File(path, "w", libver="latest" if options.pop("latest", False) else "earliest") as file:
        file.create_dataset("photons", data=_photons(), **options)
        file["mask"] = np.zeros((ROWS, COLUMNS), np.uint8)
        file["mask"][0, :3] = 1
        file["labels"] = np.arange(N) % 2
        file["particle_id"] = np.array([f"run{i}" for i in range(N)], dtype=h5py.string_dtype())
        file["diameter"] = np.full(N, 1e-7, np.float32)
        file["distance"] = 0.5
        file["hits"] = np.array([0, 2, 3])
        file["photons"].attrs["pixel_size_m"] = 1e-4
        file["photons"].attrs["photon_energy_eV"] = 1600.0
        file["photons"].attrs["beam_centre"] = [6.0, 8.0]
    return path


def _hdf5_hits(folder: Path) -> Iterator[Seed]:
    named = partial(hits, index="hits")
    yield Seed("hits hdf5 contiguous", _fill(_in(folder, "contiguous.h5")), named)
    gzipped = {"chunks": (1, ROWS, COLUMNS), "compression": "gzip", "shuffle": True}
    yield Seed("hits hdf5 gzip", _fill(_in(folder, "gzip.h5"), **gzipped), named)
    checked = {"chunks": (2, ROWS, COLUMNS), "fletcher32": True, "latest": True}
    yield Seed("hits hdf5 latest", _fill(_in(folder, "latest.h5"), **checked), named)
    cxi = _in(folder, "set.cxi")
    labels: dict[str, tuple[tuple[int, ...], str]] = {"is_single_hit": ((), "int64"), "kind": ((), "int64")}
    with CxiWriter(cxi, (ROWS, COLUMNS), N, "uint16", labels=labels) as out:
        geometry = {"photon_energy": 1570.0, "distance": 0.581, "pixel_size": 6e-4}
        values = {"is_single_hit": np.arange(N) % 2, "kind": np.arange(N) % 2}
        out.write(0, _photons(), np.ones((ROWS, COLUMNS), bool), labels=values, geometry=geometry)
    yield Seed("hits cxi", cxi, hits)
    master = _in(folder, "virtual.h5")
    part = _fill(master.with_name("part.h5"))
    layout = h5py.VirtualLayout((N, ROWS, COLUMNS), np.uint16)
    layout[:] = h5py.VirtualSource("part.h5", "photons", (N, ROWS, COLUMNS))
    with h5py.File(master, "w") as file:
        file.create_virtual_dataset("photons", layout)
        file["mask"] = h5py.ExternalLink("part.h5", "mask")
        file["again"] = h5py.SoftLink("/photons")
    yield Seed("hits hdf5 virtual", master, hits)
    yield Seed("hits hdf5 behind virtual", part, partial(hits, of=master))


def _other_hits(folder: Path) -> Iterator[Seed]:
    for form, name in (("binary", "sparse.emc"), ("hdf5", "lists.h5")):
        path = _in(folder, name)
        write_emc(path, [_photons()[:, :, :ROWS]], form)
        yield Seed(f"hits emc {form}", path, hits)
    dense = _in(folder, "dense.emc")
    head = np.array([N, ROWS * ROWS, 1], "<i4").tobytes()
    dense.write_bytes(head.ljust(1024, b"\0") + _photons()[:, :, :ROWS].astype("<i4").tobytes())
    yield Seed("hits emc dense", dense, hits)
    for name, options in (("plain.tif", {}), ("zlib.tif", {"compression": "zlib"}), ("big.tif", {"bigtiff": True})):
        path = _in(folder, name)
        tifffile.imwrite(path, _photons(), photometric="minisblack", **options)
        yield Seed(f"hits {name}", path, hits)
    npy = _in(folder, "stack.npy")
    np.save(npy, _photons())
    yield Seed("hits npy", npy, hits)
    listed = _in(folder, "index.txt")
    _fill(listed.with_name("a.h5"))
    np.save(listed.with_name("b.npy"), _photons())
    listed.write_text("# frames\na.h5,0\na.h5,3\nb.npy,2\n")
    listed.with_name("labels.txt").write_text("1\n0\n1\n")
    yield Seed("hits index list", listed, hits, text=True)


def _side_files(folder: Path) -> Iterator[Seed]:
    patterns = _fill(_in(folder, "patterns.h5"))
    stack = patterns.with_name("square.npy")
    np.save(stack, _photons()[:, :, :ROWS])
    emc = patterns.with_name("patterns.emc")
    write_emc(emc, [_photons()[:, :, :ROWS]])
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    mask[0, :3] = 1
    for name, text, write in (
        ("labels.txt", True, lambda path: np.savetxt(path, np.arange(N) % 2, "%d")),
        ("labels.npy", False, lambda path: np.save(path, np.arange(N) % 2)),
        ("frames.txt", True, lambda path: path.write_text("0\n3\n5\n")),
        ("mask.npy", False, lambda path: np.save(path, mask)),
        ("mask.tif", False, lambda path: tifffile.imwrite(path, mask)),
        ("mask.txt", True, lambda path: np.savetxt(path, mask, "%d")),
        ("mask.h5", False, partial(_one, "m", mask)),
    ):
        path = _in(folder, f"side/{name}")
        write(path)
        key = {"labels": "label", "frames": "index"}.get(path.stem, "mask")
        yield Seed(f"side {name}", path, _beside(patterns, key), text)
    for name in ("detector.h5", "detector.dat"):
        path = _in(folder, f"side/{name}")
        write_detector(path, make_detector((ROWS, ROWS), 100.0))
        yield Seed(f"side {name}", path, _beside(emc, "mask"), name.endswith(".dat"))


def _beside(patterns: Path, key: str) -> Callable[[Path], None]:
    return lambda path: hits(path, of=patterns, **{key: str(path)})


def _one(name: str, values: np.ndarray, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file[name] = values


def _scans(folder: Path) -> Iterator[Seed]:
    counts = np.random.default_rng(1).poisson(3, (8, ROWS, COLUMNS)).astype(np.uint32)
    counts[3:5, 5:8, 6:9] += 100
    nexus = _in(folder, "scan.nxs")
    with h5py.File(nexus, "w") as file:
        file.create_dataset("entry/data/data", data=counts, compression="gzip", chunks=(1, ROWS, COLUMNS))
        file["entry/data/angle"] = np.linspace(0, 0.7, 8)
        file["entry/instrument/detector/pixel_mask"] = np.zeros((ROWS, COLUMNS), np.uint32)
        file["entry/instrument/detector/flatfield"] = np.ones((ROWS, COLUMNS), np.float32)
        file["entry/instrument/detector/distance"] = 0.8
        file["entry/instrument/detector/x_pixel_size"] = 5.5e-5
        file["entry/instrument/beam/incident_energy"] = 9000.0
        file["entry/monitor/data"] = np.full(8, 1e5)
    yield Seed("scan nexus", nexus, scan)
    first = _in(folder, "frame_0001.tif")
    for number, frame in enumerate(counts, 1):
        tifffile.imwrite(first.with_name(f"frame_{number:04d}.tif"), frame)
    spec = first.with_name("run.spec")
    spec.write_text(
        "#F run\n#O0 Delta  Gamma  camdist  energy\n\n#S 3  ascan theta 0 0.7 7 1\n#P0 32 12 500 9\n#N 2\n"
        "#L Theta  Monitor\n" + "".join(f"{0.1 * i:.1f} {1000 + i}\n" for i in range(8))
    )
    yield Seed("scan tiff series", first, partial(scan, of=first.parent, spec=spec))
    yield Seed("scan spec", spec, partial(scan, of=first.parent, spec=spec), text=True)
    npy, npz, bad = (_in(folder, name) for name in ("scan.npy", "scan.npz", "bad.npy"))
    np.save(npy, counts)
    np.savez_compressed(npz, counts=counts, other=np.arange(3))
    np.save(bad, np.zeros((ROWS, COLUMNS), np.uint8))
    yield Seed("scan npy", npy, scan)
    yield Seed("scan npz", npz, scan)
    yield Seed("scan bad pixels", bad, lambda path: scan(path, of=npy, keys=ScanKeys(bad_pixels=str(path))))


def _structures(folder: Path) -> Iterator[Seed]:
    structure = gemmi.Structure()
    model, chain = gemmi.Model("1"), gemmi.Chain("A")
    for number in range(1, 6):
        residue = gemmi.Residue()
        residue.name, residue.seqid = "ALA", gemmi.SeqId(str(number))
        for name in ("N", "CA", "C", "O"):
            atom = gemmi.Atom()
            atom.name, atom.element, atom.pos = name, gemmi.Element(name[0]), gemmi.Position(number, 2.0, 3.0)
            residue.add_atom(atom)
        chain.add_residue(residue)
    model.add_chain(chain)
    structure.add_model(model)
    structure.setup_entities()
    pdb, packed, cif = (_in(folder, name) for name in ("1abc.pdb", "2abc.pdb.gz", "3abc.cif"))
    pdb.write_text("HEADER    TEST\n" + structure.make_pdb_string())
    packed.write_bytes(gzip.compress(pdb.read_bytes()))
    cif.write_text(structure.make_mmcif_document().as_string())
    yield Seed("structure pdb", pdb, read_structure, text=True)
    yield Seed("structure pdb.gz", packed, read_structure)
    yield Seed("structure cif", cif, read_structure, text=True)
    table = _in(folder, "4abc.npz")
    np.savez_compressed(table, xyzZ=np.c_[np.random.default_rng(0).normal(size=(9, 3)), np.full(9, 6)])
    yield Seed("structure npz", table, read_structure)
    index = _in(folder, "index.csv")
    beside = index.with_name("4abc.npz")
    beside.write_bytes(table.read_bytes())
    index.write_text("pdb_id,n_chains,n_amino_acids,n_nucleotides\n4abc,1,9,0\n")
    yield Seed("structure index.csv", index, lambda _: read_structure(beside), text=True)
    ids = _in(folder, "ids.txt")
    ids.write_text("1abc, 2abc\n3abc # last\n")
    yield Seed("structure ids", ids, read_ids, text=True)


def _volumes(folder: Path) -> Iterator[Seed]:
    volume = np.random.default_rng(2).random((6, 5, 4)).astype(np.float32)
    yield Seed("volume mrc", write_mrc(_in(folder, "map.mrc"), volume, 1e-9, "label"), read_mrc)
    yield Seed("volume vti", write_vti(_in(folder, "map.vti"), {"density": volume}, notes={"title": "x"}), vti)
    yield Seed("volume npz", write_npz(_in(folder, "map.npz"), {"density": volume}), read_volume)
    image = CxiImage(volume, volume > 0.5, [1e-9] * 3, {"prtf": np.ones(5)}, {"recipe": "ER"})
    yield Seed("volume cxi", write_cxi_image(_in(folder, "image.cxi"), image), read_cxi_image)
    maps = {name: volume for name in ("amplitude", "phase_rad", "displacement_pm", "strain")}
    words = {name: np.array("x") for name in ("title", "frame", "sign", "twin")}
    about = {"geometry": np.array(json.dumps({"|Q|": "1"})), "voxel_m": np.full(3, 1e-9), "Q_rad_per_m": np.ones(3)}
    path = write_npz(_in(folder, "laboratory.npz"), {**maps, "support": volume > 0, **words, **about})
    yield Seed("volume laboratory", path, read_laboratory)


def _dragonfly(folder: Path) -> Iterator[Seed]:
    sampled = np.random.default_rng(0).normal(size=(6, 5))
    sampled[:, :4] /= np.linalg.norm(sampled[:, :4], axis=1, keepdims=True)
    sampled[:, 4] = 1
    output = _in(folder, "output_003.h5")
    with h5py.File(output, "w") as file:
        file["intens"], file["quaternions"] = np.random.default_rng(0).random((1, 5, 5, 5)), sampled
        file["orientations"], file["likelihood"] = np.array([0, 1, -1, 3], np.int32), np.arange(4.0)
        for name, kind in (("place", "i4"), ("prob", "f8")):
            item = file.create_dataset(f"probabilities/{name}", (4,), h5py.vlen_dtype(np.dtype(kind)))
            for row in range(4):
                item[row] = np.arange(row + 1).astype(kind)
    yield Seed("dragonfly output", output, read_output)
    text = _in(folder, "quaternions.dat")
    np.savetxt(text, sampled, header="6", comments="")
    yield Seed("dragonfly quaternions", text, read_quaternions, text=True)
    old = _in(folder, "output/intens_003.bin")
    np.random.default_rng(0).random((5, 5, 5)).astype("<f8").tofile(old)
    (old.parent.parent / "orientations").mkdir()
    np.array([0, 1, -1, 3], "<i4").tofile(old.parent.parent / "orientations" / "orientations_003.bin")
    yield Seed("dragonfly old", old, partial(read_output, quaternions=text))


def _checkpoint(folder: Path) -> Iterator[Seed]:
    path = _in(folder, "best.ckpt")
    torch.save({"state_dict": {"weight": torch.ones(3, 3)}, "config": None}, path)
    yield Seed("checkpoint", path, read_checkpoint)
