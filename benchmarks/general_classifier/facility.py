"""Files of the test experiments as the facilities write them, with the labels in a file of their own."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import IS_SINGLE_HIT, KIND, Kind
from spi_lightning.files import atomic_write
from spi_lightning.fingerprint import fingerprint
from spi_lightning.io import PatternFile, PatternKeys, open_patterns
from spi_lightning.io.masks.convention import to_bits
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

from . import dragonfly, form_factors, simulator
from .detectors import mask_of
from .experiments import Experiment
from .frames import BLANK, Frames

_PATTERNS: Final = {
    "cxi": "entry_1/instrument_1/detector_1/data",
    "cxi_adu": "entry_1/instrument_1/detector_1/data",
    "nexus": "entry/instrument/detector/data",
    "plain": "patterns",
    "plain_mask": "patterns",
}
_GENERATORS: Final[dict[str, Any]] = {"simulator": simulator, "form_factors": form_factors, "dragonfly": dragonfly}


def file_of(experiment: Experiment, mask: NDArray[np.bool_], folder: Path, frames: int) -> tuple[Path, Path]:
    """Paths of the frames and of the labels, whose names change with any setting; not with the generator's code."""
    stem = f"{experiment.name}_{frames}_{fingerprint(asdict(experiment), mask)[:8]}"
    return folder / f"{stem}.{'cxi' if experiment.facility.startswith('cxi') else 'h5'}", folder / f"{stem}_labels.h5"


def make(experiment: Experiment, folder: Path, frames: int) -> tuple[Path, Path, str]:
    """Write frames and labels of an experiment unless they are there.

    Args:
        experiment: Settings.
        folder: Folder of the files.
        frames: Number of frames, instead of that of the experiment.

    Returns:
        Paths of frames and labels, and the departure from the settings in words, or an empty text.
    """
    mask, placed, departure = mask_of(experiment.detector)
    path, labels = file_of(experiment, mask, folder, frames)
    beam = experiment.beam if experiment.beam[0] >= 0 else placed
    if not (path.is_file() and labels.is_file()):
        assert beam is not None, f"{experiment.name}: no beam"
        drawn = _GENERATORS[experiment.generator].draw(experiment, frames, mask, beam)
        kinds = _write(path, experiment, frames, mask, beam, drawn)
        with atomic_write(labels) as part, h5py.File(part, "w") as file:
            file[KIND], file[IS_SINGLE_HIT] = kinds, (kinds == Kind.SINGLE).astype(np.int64)
    return path, labels, departure


def _write(
    path: Path,
    experiment: Experiment,
    frames: int,
    mask: NDArray[np.bool_],
    beam: tuple[float, float],
    drawn: Iterable[Frames],
) -> NDArray[np.int64]:
    """Write the frames as they are drawn; their kinds (frames,)."""
    kinds = np.full(frames, BLANK, dtype=np.int64)
    random = np.random.default_rng([experiment.seed, 9])
    dtype = np.int16 if experiment.adu_per_photon else np.uint16
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part, h5py.File(part, "w") as file:
        stored = file.create_dataset(_PATTERNS[experiment.facility], (frames, *mask.shape), dtype,
                                     chunks=(1, *mask.shape), **hdf5plugin.Bitshuffle(cname="lz4"))  # fmt: skip
        start = 0
        for block in drawn:
            stop = start + len(block.kind)
            kinds[start:stop] = block.kind
            stored[start:stop] = _as_read_out(block.photons, mask, experiment, random).astype(dtype)
            start = stop
        _describe(file, experiment, mask, beam)
    return kinds


def _as_read_out(
    photons: NDArray[np.int32], mask: NDArray[np.bool_], experiment: Experiment, random: np.random.Generator
) -> NDArray[Any]:
    """Counts, or detector units with noise that clip as the converter does; unmeasured pixels hold what they read."""
    if not experiment.adu_per_photon:
        return np.minimum(photons, 65535)
    values = photons * experiment.adu_per_photon + random.normal(0, experiment.noise, photons.shape)
    values[:, ~mask] = random.normal(-40, 200, (len(photons), int((~mask).sum())))
    return np.clip(np.rint(values), -32768, 32767)


def _describe(file: h5py.File, experiment: Experiment, mask: NDArray[np.bool_], beam: tuple[float, float]) -> None:
    """Mask and geometry as the facility stores them."""
    if experiment.facility == "plain_mask":
        file["mask"] = (~mask).astype(np.uint8)
        file["mask"].attrs["meaning"] = "1 = invalid"
    elif experiment.facility.startswith("cxi"):
        file["cxi_version"] = 160
        detector = file["entry_1/instrument_1/detector_1"]
        detector["mask"], detector["distance"] = to_bits(mask), experiment.distance
        detector["x_pixel_size"] = detector["y_pixel_size"] = experiment.pixel_size
        file["entry_1/instrument_1/source_1/energy"] = experiment.photon_energy * ELEMENTARY_CHARGE
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
    elif experiment.facility == "nexus":
        _describe_nexus(file, experiment, mask, beam)


def _describe_nexus(
    file: h5py.File, experiment: Experiment, mask: NDArray[np.bool_], beam: tuple[float, float]
) -> None:
    groups = {"entry": "NXentry", "entry/instrument": "NXinstrument"}
    groups |= {"entry/instrument/detector": "NXdetector", "entry/instrument/beam": "NXbeam"}
    for name, kind in groups.items():
        file.require_group(name).attrs["NX_class"] = kind
    detector = file["entry/instrument/detector"]
    detector["pixel_mask"] = (~mask).astype(np.uint32)
    values = {"detector_distance": (experiment.distance, "m"), "beam_center_x": (beam[1], "pixel"),
              "beam_center_y": (beam[0], "pixel"), "x_pixel_size": (experiment.pixel_size, "m"),
              "y_pixel_size": (experiment.pixel_size, "m")}  # fmt: skip
    for name, (value, unit) in values.items():
        detector[name] = value
        detector[name].attrs["units"] = unit
    file["entry/instrument/beam/incident_wavelength"] = experiment.wavelength * 1e10
    file["entry/instrument/beam/incident_wavelength"].attrs["units"] = "angstrom"


def opened(experiment: Experiment, folder: Path, frames: int) -> PatternFile:
    """The frames of an experiment with their labels, as the package reads them."""
    path, labels, _ = make(experiment, folder, frames)
    convention = "bad" if experiment.facility == "plain_mask" else "auto"
    patterns = open_patterns(path, PatternKeys(), convention, experiment.adu_per_photon or None)
    with h5py.File(labels) as file:
        kept = {name: np.asarray(file[name][()]) for name in (IS_SINGLE_HIT, KIND)}
    return patterns.changed(labels=kept)
