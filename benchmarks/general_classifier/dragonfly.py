"""Test experiments from Dragonfly's own generator, with structures of the protein data bank.

Atoms of a particle, of a cluster or of a contaminant are written as one PDB file; Dragonfly makes its density, its
intensity and its photons, as ``dragonfly.utils.sim_setup`` does. It runs in an environment of its own, which the
variable ``DRAGONFLY`` names (docs: Orientations). Dragonfly seeds its generator by the clock: structures, clusters and
brightness are those of the experiment's seed, orientations and photons are drawn anew each time the set is made.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spi_lightning.errors import UserError
from spi_lightning.fields import Kind
from spi_lightning.io.dragonfly.emc import EmcFrames
from spi_lightning.locations import structures_folder

from .experiments import Experiment
from .form_factors import rotation
from .frames import Frames

Atoms = NDArray[np.float64]
_OTHERS: Final = ((Kind.DOUBLE, 0.45), (Kind.TRIPLE, 0.25), (Kind.QUADRUPLE, 0.1), (Kind.CONTAMINANT, 0.2))
_PER_STRUCTURE, _PER_BRIGHTNESS = 5, 10  # frames of one cluster, and of the single particle at one brightness
_CONTACT, _STEP = 5.0, 3.0  # Angstrom
_SYMBOLS: Final = {1: "H", 6: "C", 7: "N", 8: "O", 12: "MG", 15: "P", 16: "S", 20: "CA", 26: "FE", 29: "CU", 30: "ZN"}
_PROGRAM: Final = """
import json, os, sys
import dragonfly
from dragonfly.utils import make_data, make_densities, make_detector, make_intensities
steps = json.load(sys.stdin)
make_detector.make_detector(steps[0][0], yes=True)
for config, new in steps:
    if new:
        make_densities.make_dens(config, yes=True)
        make_intensities.make_intens(config, yes=True)
    make_data.make_data(config, yes=True)
"""
_CONFIG: Final = """[parameters]
detd = {distance}
lambda = {wavelength}
detsize = {size}
pixsize = {pixel}
stoprad = 5
polarization = x
[make_densities]
in_pdb_file = {folder}/{structure}.pdb
scatt_dir = {tables}
num_threads = 1
out_density_file = {folder}/density.bin
[make_intensities]
num_threads = 1
in_density_file = {folder}/density.bin
out_intensity_file = {folder}/intensity.bin
[make_detector]
out_detector_file = {folder}/detector.h5
[make_data]
num_data = {frames}
mean_count = {photons}
background_file = {folder}/background.h5
in_detector_file = {folder}/detector.h5
in_intensity_file = {folder}/intensity.bin
out_photons_file = {folder}/{run}.emc
"""


@dataclass(frozen=True)
class Run:
    """Some frames of one structure at one brightness.

    Attributes:
        structure: Name of the structure's file.
        kind: Kind of all its frames.
        frames: Number of frames.
        photons: Mean number of scattered photons of a frame.
        new: Whether its density is not yet made.
    """

    structure: str
    kind: Kind
    frames: int
    photons: float
    new: bool


def draw(experiment: Experiment, frames: int, mask: NDArray[np.bool_], beam: tuple[float, float]) -> Iterator[Frames]:
    """All patterns of an experiment at once, in random order.

    Raises:
        UserError: There is no Dragonfly, or it fails.
    """
    python = Path(os.environ.get("DRAGONFLY", "dragonfly")) / "bin" / "python"
    if not python.is_file():
        raise UserError(f"DRAGONFLY={python.parents[1]}: no environment of Dragonfly is there; see docs, Orientations")
    random = np.random.default_rng(experiment.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = list(_runs(experiment, frames, folder, random))
        with h5py.File(folder / "background.h5", "w") as file:
            file["background"] = np.full(mask.size, experiment.flat[0])
        _run_all(python, folder, experiment, runs, mask.shape[0])
        photons = np.concatenate([EmcFrames(folder / f"{i}.emc").read(0, run.frames) for i, run in enumerate(runs)])
    kinds = np.concatenate([np.full(run.frames, run.kind, dtype=np.int64) for run in runs])
    order = random.permutation(frames)
    yield Frames((photons * mask).astype(np.int32)[order], kinds[order])


def _runs(experiment: Experiment, frames: int, folder: Path, random: np.random.Generator) -> Iterator[Run]:
    """Runs of half single, half other frames, whose structures are written into a folder."""
    particle = atoms_of(experiment.structure)
    _write_pdb(folder / "single.pdb", particle)
    singles, (low, high) = frames // 2, np.log(experiment.photons)
    for start in range(0, singles, _PER_BRIGHTNESS):
        count = min(_PER_BRIGHTNESS, singles - start)
        yield Run("single", Kind.SINGLE, count, float(np.exp(random.uniform(low, high))), start == 0)
    kinds, weights = zip(*_OTHERS, strict=True)
    for start in range(singles, frames, _PER_STRUCTURE):
        kind = Kind(random.choice(kinds, p=weights))
        _write_pdb(folder / f"other{start}.pdb", _other(kind, particle, random))
        count = min(_PER_STRUCTURE, frames - start)
        yield Run(f"other{start}", kind, count, float(np.exp(random.uniform(low, high))), True)


def atoms_of(structure: str) -> Atoms:
    """Atoms of an entry around their mean, (N, 4): x, y, z in Angstrom and atomic number."""
    with np.load(structures_folder() / f"{structure}.npz") as file:
        atoms = np.asarray(file["xyzZ"], dtype=np.float64)
    atoms[:, :3] -= atoms[:, :3].mean(axis=0)
    return atoms


def _other(kind: Kind, particle: Atoms, random: np.random.Generator) -> Atoms:
    """Atoms of a cluster, of a droplet of water, or of a piece of the particle."""
    if kind != Kind.CONTAMINANT:
        return touching([particle] * (kind + 1), random)
    if random.random() < 0.5:
        radius = np.sqrt(5 / 3 * (particle[:, :3] ** 2).sum(1).mean()) * random.uniform(1.4, 2.0)
        points = np.arange(-radius, radius, 5.0)
        place = np.stack(np.meshgrid(points, points, points), axis=-1).reshape(-1, 3)
        place = place[np.linalg.norm(place, axis=1) < radius] + 0.0
        place += random.uniform(-2, 2, place.shape)
        return np.concatenate([place, np.full((len(place), 1), 8.0)], axis=1)
    along = particle[:, :3] @ rotation(random)[0]
    return np.asarray(particle[along > np.quantile(along, random.uniform(0.7, 0.85))])


def touching(particles: Sequence[Atoms], random: np.random.Generator) -> Atoms:
    """Particles in random orientations, each moved along a random line until it touches those before it."""
    cluster = particles[0]
    for particle in particles[1:]:
        turned = np.array(particle)
        turned[:, :3] = turned[:, :3] @ rotation(random).T
        tree, direction = cKDTree(cluster[:, :3]), rotation(random)[0]
        anchor = cluster[random.integers(len(cluster)), :3] * 0.5
        reach = np.ptp(cluster[:, :3], axis=0).max() + np.ptp(turned[:, :3], axis=0).max()
        sample, far = turned[:: max(1, len(turned) // 4000), :3], float(reach)
        while far > 0 and tree.query(sample + anchor + far * direction)[0].min() > _CONTACT:
            far -= _STEP
        turned[:, :3] += anchor + (far + _STEP) * direction
        cluster = np.concatenate([cluster, turned])
    return np.asarray(cluster)


def _write_pdb(path: Path, atoms: Atoms) -> None:
    lines = [
        f"ATOM  {1:5d}  X   UNK A   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {_SYMBOLS[int(number)]:>2s}"
        for x, y, z, number in atoms
    ]
    path.write_text("\n".join([*lines, "END\n"]))


def _run_all(python: Path, folder: Path, experiment: Experiment, runs: Sequence[Run], size: int) -> None:
    """Let Dragonfly make all runs; UserError with the end of its output where it fails."""
    found = subprocess.run(
        [python, "-c", "import dragonfly; print(dragonfly.__path__[0])"], capture_output=True, text=True, check=False
    )
    tables = Path(found.stdout.strip()) / "aux"
    steps: list[Any] = []
    for i, run in enumerate(runs):
        config = folder / f"{i}.ini"
        config.write_text(
            _CONFIG.format(
                distance=experiment.distance * 1e3, wavelength=experiment.wavelength * 1e10, size=size,
                pixel=experiment.pixel_size * 1e3, folder=folder, tables=tables, structure=run.structure,
                frames=run.frames, photons=run.photons, run=i,
            )
        )  # fmt: skip
        steps.append([str(config), run.new])
    done = subprocess.run(
        [python, "-c", _PROGRAM], input=json.dumps(steps), capture_output=True, text=True, cwd=folder, check=False
    )
    if done.returncode:
        raise UserError(f"{python}: Dragonfly failed: {(done.stderr or found.stderr).strip()[-300:]}")
