"""What a phasing run found, kept in phasing.h5 of its run folder, from which its page is made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import opened
from spi_lightning.metrics.resolution import alike
from spi_lightning.notes import Note
from spi_lightning.write_errors import new_hdf5

Array = NDArray[Any]
PHASING: Final = "phasing.h5"


@dataclass(frozen=True)
class PhasingFiles:
    """One phasing run: S starts of one pattern in 2D or 3D, T iterations, K shells. Origins at n // 2.

    Attributes:
        intensity: (..., y, x) photons, 0 where mask is False.
        mask: Bool, True where measured.
        held_out: Bool, measured but kept from phasing, to judge it.
        density: Mean of the starts that were kept, float or complex.
        support: Bool, where most of the kept starts have theirs.
        start_support: Bool, the support phasing began with.
        starts: (S, ...) density of each start, aligned to the best.
        error: (T, S) relative Fourier error during the recipe.
        final_error: (S,) relative Fourier error of each start at its end, after a polish if there was one.
        held_out_error: (S,) the same on the pixels held out; NaN without any.
        kept: (S,) bool, False for starts that failed.
        frequency: (K,) middle of each shell, 1/m, or 1/pixel where ``even`` is False.
        prtf, prtf_modulus, fsc: (K,) curves; fsc is empty unless two halves of the photons were phased.
        prtf_corrected: (K,) prtf without what unrelated phases give by chance.
        half_bit: (K,) half-bit threshold of fsc; empty like it.
        pixel: Edge of a density pixel along each axis, m; 1 where ``known`` is False.
        known: Whether the geometry, and with it lengths, are known.
        truth: True density of a simulated pattern, aligned like the result; None where unknown.
        point_spread: (S, axes) root mean square widths of a blur by partial coherence that a polish fitted, pixels of
            the pattern; the errors are then of blurred patterns. None: none was fitted.
        notes: One line each.
        about: Plain words and numbers: recipe, constraint, support, start, seconds, ...
    """

    intensity: Array
    mask: Array
    held_out: Array
    density: Array
    support: Array
    start_support: Array
    starts: Array
    error: Array
    final_error: Array
    held_out_error: Array
    kept: Array
    frequency: Array
    prtf: Array
    prtf_modulus: Array
    prtf_corrected: Array
    fsc: Array
    half_bit: Array
    pixel: Array
    known: bool
    truth: Array | None = None
    point_spread: Array | None = None
    notes: list[Note] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def even(self) -> bool:
        """Whether edges of a pixel are known and alike, so that a shell has one frequency in 1/m."""
        return self.known and alike(self.pixel)

    @property
    def best(self) -> int:
        """Index of the start of least relative Fourier error among those that make the mean; the one that is shown."""
        return int(np.where(self.kept, self.final_error, np.inf).argmin())

    @property
    def misfit(self) -> float:
        """Relative Fourier error of the best kept start beyond what photon noise explains."""
        error, noise = float(self.final_error[self.best]), float(self.about.get("counting_error") or 0)
        return float(max(0.0, error**2 - noise**2) ** 0.5)

    @property
    def element(self) -> str:
        """What the pattern and the density are made of."""
        return "voxel" if self.density.ndim == 3 else "pixel"

    def write(self, folder: Path) -> Path:
        """Write phasing.h5, whole or not at all."""
        path = folder / PHASING
        with atomic_write(path) as part, new_hdf5(part) as file:
            for item in fields(self):
                value = getattr(self, item.name)
                if isinstance(value, np.ndarray):
                    packed = {"compression": "gzip", "shuffle": True} if value.size > 1000 else {}
                    file.create_dataset(item.name, data=value, **packed)
                elif item.name in ("notes", "about"):
                    file.attrs[item.name] = json.dumps(value if item.name == "about" else [one.plain for one in value])
                elif value is not None:
                    file.attrs[item.name] = value
        return path

    @classmethod
    def read(cls, folder: Path) -> PhasingFiles:
        """Read phasing.h5 of a run folder. Raises UserError as io.hdf5_file.opened does."""
        with opened(folder / PHASING) as file:
            values: dict[str, Any] = {name: item[()] for name, item in file.items()}
            values |= {name: json.loads(str(file.attrs[name])) for name in ("notes", "about")}
            values["notes"] = [Note.read(plain) for plain in values["notes"]]
            values["known"] = bool(file.attrs["known"])
            values.setdefault("prtf_corrected", np.full_like(values["prtf"], np.nan))  # runs from before there was one
        return cls(**values)
