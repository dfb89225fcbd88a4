"""Reader and writers of a crystal in the laboratory frame: CXI, VTI, MRC and NPZ, with units and frame in each."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.fields import AMPLITUDE, PHASE, SUPPORT
from spi_lightning.io.reading import reading
from spi_lightning.physics.bragg.laboratory import FRAME, SIGN, TWIN, LaboratoryCrystal

from .cxi_image import CxiImage, write_cxi_image
from .mrc import write_mrc
from .npz import write_npz
from .vti import write_vti

_UNITS: Final = {
    AMPLITUDE: "1",
    PHASE: "rad",
    "displacement": "m",
    "strain": "1",
    "Q": "rad/m",
    "voxel_size": "m",
}


def write_laboratory(stem: Path, crystal: LaboratoryCrystal, title: str) -> list[Path]:
    """Write ``stem``.cxi, .vti (ParaView), .mrc (ChimeraX) and .npz, each atomically.

    CXI: the complex density as image, maps under image_1/process_1/results with their ``units``. VTI: nm, units in the
    names, frame and geometry as field data. MRC: the amplitude, voxels in angstrom. NPZ: see read_laboratory.

    Args:
        stem: Path of the files without suffix.
        crystal: Amplitude, phase, displacement and strain (Z, Y, X) of the crystal.
        title: Title for people, e.g. method and pattern.

    Returns:
        Paths of the four files.

    Raises:
        UserError: A file cannot be written.
    """
    amplitude, phase, displacement, strain = (
        each.numpy() for each in (crystal.amplitude, crystal.phase, crystal.displacement, crystal.strain)
    )
    support, big_q = crystal.support.numpy(), crystal.Q.numpy()
    notes = {"title": title, "frame": FRAME, "sign": SIGN, "twin": TWIN}
    texts = notes | {
        f"geometry_{number}": f"{name}: {text}" for number, (name, text) in enumerate(crystal.about.items())
    }
    edge = np.full(3, crystal.voxel_size)
    results = {
        AMPLITUDE: amplitude,
        PHASE: phase,
        "displacement": displacement,
        "strain": strain,
        "Q": big_q,
        "voxel_size": edge,
    }
    density = np.where(support, amplitude * np.exp(1j * phase), 0).astype(np.complex64)
    cxi = write_cxi_image(_named(stem, ".cxi"), CxiImage(density, support, edge.tolist(), results, texts, _UNITS))
    maps = {
        AMPLITUDE: amplitude,
        "phase_rad": phase,
        "displacement_pm": 1e12 * displacement,
        "strain": strain,
        SUPPORT: support,
    }
    vti = write_vti(_named(stem, ".vti"), maps, 1e9 * edge, notes={"length_unit": "nm", **texts})
    mrc = write_mrc(_named(stem, ".mrc"), amplitude, edge, f"|density|, laboratory frame, {title}")
    words = {name: np.array(text) for name, text in notes.items()} | {"geometry": np.array(json.dumps(crystal.about))}
    npz = write_npz(_named(stem, ".npz"), {**maps, "voxel_m": edge, "Q_rad_per_m": big_q, **words})
    return [cxi, vti, mrc, npz]


def _named(stem: Path, ending: str) -> Path:
    """Path of the stem, which may contain points, with an ending."""
    return stem.with_name(stem.name + ending)


def read_laboratory(path: Path) -> tuple[LaboratoryCrystal, str]:
    """Crystal and title of a .npz file of write_laboratory.

    The file holds amplitude, phase_rad, displacement_pm, strain and support (Z, Y, X), voxel_m (3,), Q_rad_per_m
    (3,) ordered z, y, x, and the texts title, frame, sign, twin and geometry (JSON).

    Raises:
        UserError: A missing or damaged file, or one of another content.
    """
    with (
        reading(path, "a crystal in the laboratory frame", also=(KeyError, IndexError, TypeError)),
        np.load(path, allow_pickle=False) as file,
    ):
        found: dict[str, NDArray[Any]] = dict(file)
        phase, displacement = found["phase_rad"], 1e-12 * found["displacement_pm"]
        maps = [torch.from_numpy(each) for each in (found[AMPLITUDE], phase, displacement, found["strain"])]
        amplitude, phase_map, moved, strain = maps
        crystal = LaboratoryCrystal(
            amplitude,
            phase_map,
            moved,
            strain,
            torch.from_numpy(found[SUPPORT]),
            float(found["voxel_m"][0]),
            torch.from_numpy(found["Q_rad_per_m"]),
            json.loads(str(found["geometry"])),
        )
        return crystal, str(found["title"])
