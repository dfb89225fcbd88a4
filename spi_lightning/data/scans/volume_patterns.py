"""3D patterns for phasing and comparison: measured scans, particles of a simulated set, or a known object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final

import torch
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.data.simulated.set_files import ENTRY
from spi_lightning.data.volumes import VolumeDataset
from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FOURIER_AMPLITUDE, MASK, PHASE
from spi_lightning.io.hdf5.file import opened
from spi_lightning.io.scans.bragg_scan import ScanKeys
from spi_lightning.notes import Note
from spi_lightning.physics.bragg.laboratory import ScanAxes
from spi_lightning.simulate.volumes import embed

from .known_object import count_known_object
from .preparation import Preparation
from .single_pattern import ScanMeasurement, measure_scan

KINDS: Final = ("measured", "simulated", "known")
_HDF5: Final = (".h5", ".hdf5", ".nxs", ".cxi")


class _Preparation(Preparation):
    """Preparation of a scan with the settings data.size, data.bin and data.threshold."""

    prefix: ClassVar[str] = "data."


@dataclass(frozen=True)
class ScanSettings:
    """Settings by which scans become patterns: data=single_volume, and data=volumes of measured scans.

    Args:
        key: Data set of the counts of a scan, short for keys.counts; None: the usual names.
        size, bin, threshold: Preparation of a scan; of a known object, ``size`` is the edge of its pattern.
        keys, geometry: Names of data sets and geometry of a scan, see measure_scan.
    """

    key: str | None = None
    size: int | Sequence[int] | None = 64
    bin: int | Sequence[int] | None = 1
    threshold: float = 0.0
    keys: ScanKeys | None = None
    geometry: Mapping[str, float | str | None] | None = None

    def measure(self, paths: Sequence[str]) -> list[ScanMeasurement]:
        """Measurements of scans by measure_scan; one number as size is limited to what all hold around their peaks.

        Peaks lie a few voxels apart in scans of one shape, and none is padded. Errors name the settings of this class.
        """
        made = [self._measured(path) for path in paths]
        shapes = [tuple(one.mask.shape) for one in made]
        if len(set(shapes)) > 1 and isinstance(self.size, int):
            common = replace(self, size=tuple(min(edges) for edges in zip(*shapes, strict=True)))
            made = [common._measured(path) for path in paths]
        return made

    def _measured(self, path: str) -> ScanMeasurement:
        keys = self.keys or ScanKeys()
        keys = keys if self.key is None else replace(keys, counts=self.key)
        try:
            return measure_scan(path, keys, _Preparation(self.size, self.bin, self.threshold), self.geometry)
        except UserError as error:
            if self.key is None:
                raise
            raise UserError(str(error).replace("data.keys.counts=", "data.key=")) from error


@dataclass(frozen=True)
class VolumePatterns:
    """P patterns of one shape, origins at n // 2.

    Attributes:
        path: Path of the patterns, for reports.
        kind: Origin, ``measured``, ``simulated`` or ``known`` (counts simulated from a known density).
        names: Names of the P patterns.
        fourier_amplitude: (P, Z, Y, X) float32, sqrt(photons), 0 where mask is False.
        mask: (P, Z, Y, X) bool, True = measured.
        truth: (P, Z, Y, X) complex64 true densities; None where unknown.
        voxel: Edges of a voxel of the density along z, y, x, m; None where the geometry is not known.
        counted: Whether the squares are counts, so that they can be thinned; else they are noise-free.
        notes: One line for each choice of the reader and the preparation.
        axes: Axes of the voxels of each measured pattern in the laboratory, None where the geometry is incomplete;
            empty for other kinds.
    """

    path: str
    kind: str
    names: tuple[str, ...]
    fourier_amplitude: Tensor
    mask: Tensor
    truth: Tensor | None = None
    voxel: tuple[float, float, float] | None = None
    counted: bool = True
    notes: list[Note] = field(default_factory=list)
    axes: tuple[ScanAxes | None, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def open_volume_patterns(
    path: str | Sequence[str],
    first: int = 5,
    scans: ScanSettings | None = None,
    peak_photons: Sequence[float | None] | None = None,
    factor: int = 4,
    seed: int = 0,
) -> VolumePatterns:
    """Read the 3D patterns of a path.

    Args:
        path: Scan, or list of scans (HDF5, NeXus, CXI, .npy, .npz, TIFF), made ready as by measure_scan; a set of
            particles, see make_set; or an HDF5 file with the amplitude and phase of one density.
        first: Number of particles of a set to use.
        scans: Settings of scans, and size of the pattern of a known object; None: the defaults of ScanSettings.
        peak_photons: Largest expected counts of a known object, one pattern for each, null being noise-free; None: 1e6.
        factor: Ratio of voxel edges of a known object, see count_known_object.
        seed: Seed of the counts of a known object.

    Raises:
        UserError: The file is missing or holds none of the three, scans differ in shape, or as the readers.
    """
    kind, scans = kind_of_file(path), scans or ScanSettings()
    if kind == "simulated":
        return _simulated(str(path), first)
    if kind == "known":
        if not isinstance(scans.size, int):
            raise UserError(f"data.size={scans.size}: the pattern of a known object is a cube; give one number")
        return _known(str(path), scans.size, factor, [1e6] if peak_photons is None else peak_photons, seed)
    paths = [path] if isinstance(path, str) else list(path)
    return of_measurements(paths, scans.measure(paths))


def kind_of_file(path: str | Sequence[str]) -> str:
    """Origin of a file, ``measured``, ``simulated`` or ``known``, by the names inside HDF5; others are measured.

    Raises:
        UserError: The file is missing or damaged.
    """
    if not isinstance(path, str) or Path(path).suffix.lower() not in _HDF5:
        return "measured"
    with opened(Path(path)) as file:
        if f"{ENTRY}/{AMPLITUDE}" in file:
            return "simulated"
        shapes = [getattr(file.get(name), "shape", ()) for name in (AMPLITUDE, PHASE)]
    return "known" if all(len(shape) == 3 for shape in shapes) else "measured"


def of_measurements(paths: Sequence[str], measured: Sequence[Measurement]) -> VolumePatterns:
    """Measurements as VolumePatterns; UserError if they are not volumes or differ in shape."""
    shapes = {tuple(one.mask.shape) for one in measured}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise UserError(f"data.path: patterns of shapes {sorted(shapes)}; give volumes of one shape, by data.size")
    shape, steps = next(iter(shapes)), measured[0].frequency_step
    voxel = None if steps is None else tuple(1 / (n * step) for n, step in zip(shape, steps, strict=True))
    notes = [
        note.about(path) if len(paths) > 1 else note
        for path, one in zip(paths, measured, strict=True)
        for note in one.notes
    ]
    return VolumePatterns(
        ", ".join(paths),
        "measured",
        tuple(Path(path).stem for path in paths),
        torch.stack([one.fourier_amplitude for one in measured]),
        torch.stack([one.mask for one in measured]),
        voxel=voxel,  # type: ignore[arg-type]
        counted=all(one.counted is not False for one in measured),
        notes=notes,
        axes=tuple(one.axes if isinstance(one, ScanMeasurement) else None for one in measured),
    )


def _simulated(path: str, first: int) -> VolumePatterns:
    if first < 1:
        raise UserError(f"volumes.first={first}: take one particle or more")
    particles = VolumeDataset(path)
    count = min(first, len(particles))
    batch = particles[list(range(count))]
    pattern = batch[FOURIER_AMPLITUDE][:, 0]
    truth = embed(torch.polar(batch[AMPLITUDE][:, 0], batch[PHASE][:, 0]), pattern.shape[-1])
    counted = MASK in particles.names
    what = "with counted photons" if counted else "noise-free"
    note = Note.of(f"the first {count} of {particles.total} simulated particles, {what}", path)
    names = tuple(f"particle {number}" for number in range(count))
    return VolumePatterns(
        path, "simulated", names, pattern, batch[MASK][:, 0].expand(pattern.shape), truth, counted=counted, notes=[note]
    )


def _known(path: str, size: int, factor: int, peaks: Sequence[float | None], seed: int) -> VolumePatterns:
    made = [count_known_object(path, size, factor, peak, seed + number) for number, peak in enumerate(peaks)]
    names = tuple("noise-free" if peak is None else f"peak {peak:g} photons" for peak in peaks)
    return VolumePatterns(
        path,
        "known",
        names,
        torch.stack([one.pattern.fourier_amplitude for one in made]),
        torch.stack([one.pattern.mask for one in made]),
        torch.stack([one.density for one in made]),
        counted=None not in list(peaks),
        notes=[note for one in made for note in one.pattern.notes],
    )
