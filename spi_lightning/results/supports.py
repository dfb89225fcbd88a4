"""What an evaluation of supports leaves in its run folder: supports.h5, written whole and read back for the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import DENSITY, FRAME, INTENSITY, MASK, STRUCTURE, SUPPORT
from spi_lightning.files import atomic_write
from spi_lightning.io.hdf5.file import opened
from spi_lightning.io.json_file import read_json, read_metrics
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.write_errors import new_hdf5

SUPPORTS = "supports.h5"
EVEN, WORST, SMALLEST, LARGEST = "Typical patterns", "Worst answers", "Smallest particles", "Largest particles"


@dataclass(frozen=True)
class MethodTable:
    """One method's answer.

    Attributes:
        name: The method.
        support: (N, H, W) bool.
        density: (N, H, W), density or score; None from methods without.
        columns: (N,) numbers of each support: area, centrosymmetry, and with a truth false_negatives and so on.
    """

    name: str
    support: NDArray[np.bool_]
    density: NDArray[Any] | None
    columns: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ShownPatterns:
    """Patterns picked for the page.

    Attributes:
        choices: Title of each gallery -> rows of the answers, (n,).
        row: (m,) rows stored, sorted.
        intensity: (m, H, W) float32.
        mask: (m, H, W) bool, True = measured.
        density: (m, H, W) float32 true density; None if unknown.
    """

    choices: dict[str, NDArray[np.int64]]
    row: NDArray[np.int64]
    intensity: NDArray[np.float32]
    mask: NDArray[np.bool_]
    density: NDArray[np.float32] | None


@dataclass(frozen=True)
class SupportFiles:
    """Everything the page is made of; ``about`` is evaluation.json, ``metrics`` metrics.json."""

    about: dict[str, Any]
    metrics: dict[str, Any]
    frame: NDArray[np.int64]
    structure: NDArray[np.int64]
    truth: NDArray[np.bool_] | None
    methods: list[MethodTable]
    shown: ShownPatterns

    @property
    def headline(self) -> MethodTable:
        """The method whose failures are looked at."""
        number: int = self.about["headline"]
        return self.methods[number]

    def name_of(self, structure: int) -> str:
        """Id of a structure; its number where the file has no ids."""
        return str(self.about.get("structures", {}).get(str(structure), f"structure {structure}"))

    def write(self, folder: Path) -> None:
        """Write supports.h5, whole or not at all: supports as gzip bool, densities as gzip float16."""
        with atomic_write(folder / SUPPORTS) as part, new_hdf5(part) as file:
            file.attrs.update(fraction=self.about["fraction"], headline=self.headline.name)
            file[FRAME], file[STRUCTURE] = self.frame, self.structure
            if self.truth is not None:
                _store(file, "truth", self.truth)
            for number, method in enumerate(self.methods):
                group = file.create_group(f"methods/{number}")
                group.attrs["name"] = method.name
                _store(group, SUPPORT, method.support)
                if method.density is not None:
                    _store(group, DENSITY, method.density.astype(np.float16))
                for name, values in method.columns.items():
                    group[f"columns/{name}"] = values
            shown = file.create_group("shown")
            shown["row"] = self.shown.row
            for name in (INTENSITY, MASK, DENSITY):
                if (values := getattr(self.shown, name)) is not None:
                    _store(shown, name, values)
            choices = shown.create_group("choices", track_order=True)
            for title, rows in self.shown.choices.items():
                choices[title] = rows


def _store(group: h5py.Group, name: str, images: NDArray[Any]) -> None:
    chunks = (1, *images.shape[1:]) if images.size else None
    group.create_dataset(name, data=images, chunks=chunks, compression="gzip" if images.size else None)


def read_supports(folder: Path) -> SupportFiles:
    """Read the files of one evaluation.

    Raises:
        UserError: The folder is no finished evaluation of supports, or one of its files is damaged.
    """
    with opened(folder / SUPPORTS) as file:
        groups = [file["methods"][number] for number in sorted(file["methods"], key=int)]
        return SupportFiles(
            about=read_json(folder / "evaluation.json"),
            metrics=read_metrics(folder / "metrics.json"),
            frame=file[FRAME][()],
            structure=file[STRUCTURE][()],
            truth=file["truth"][()] if "truth" in file else None,
            methods=[_read_method(group) for group in groups],
            shown=_read_shown(file["shown"]),
        )


def _read_method(group: h5py.Group) -> MethodTable:
    return MethodTable(
        name=str(group.attrs["name"]),
        support=group[SUPPORT][()],
        density=group[DENSITY][()] if DENSITY in group else None,
        columns={name: values[()] for name, values in group["columns"].items()},
    )


def _read_shown(group: h5py.Group) -> ShownPatterns:
    return ShownPatterns(
        choices={str(title): rows[()] for title, rows in group["choices"].items()},
        row=group["row"][()],
        intensity=group[INTENSITY][()],
        mask=group[MASK][()],
        density=group[DENSITY][()] if DENSITY in group else None,
    )


def choose_support_frames(
    method: MethodTable, truth_area: NDArray[Any] | None, structure: NDArray[np.int64], count: int
) -> dict[str, NDArray[np.int64]]:
    """Rows for the galleries: evenly spread ones, the worst answers, and the extremes of size.

    Args:
        method: Whose answers are judged.
        truth_area: (N,) pixels of the true supports; None if unknown: then the method's own areas are the sizes.
        structure: (N,) numbers of the structures, -1 where unknown; no gallery shows a structure twice if it need not.
        count: Patterns of each gallery; 0: no galleries.
    """
    total = len(method.support)
    if count < 1 or total == 0:
        return {}
    size = method.columns["area"] if truth_area is None else truth_area
    even = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))
    choices = {EVEN: even}
    if truth_area is not None:
        missed, loose = method.columns["false_negatives"], method.columns["false_positives"]
        choices[WORST] = _first_of_each(np.lexsort((-loose, -missed)), structure, count)
    if total > count:
        choices[SMALLEST] = _first_of_each(np.argsort(size, kind="stable"), structure, count)
        choices[LARGEST] = _first_of_each(np.argsort(-size, kind="stable"), structure, count)
    return choices


def _first_of_each(order: NDArray[Any], structure: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The first rows of an order, one of each structure, then whatever comes next."""
    known = structure[order]
    first = np.zeros(len(order), dtype=bool)
    first[np.unique(known, return_index=True)[1]] = True
    first |= known < 0
    chosen: NDArray[np.int64] = np.concatenate([order[first], order[~first]])[:count].astype(np.int64)
    return chosen


def collect_patterns(
    patterns: PatternFile, frame: NDArray[np.int64], choices: dict[str, NDArray[np.int64]]
) -> ShownPatterns:
    """Read what the galleries show.

    Args:
        patterns: The file.
        frame: (N,) frame of each row.
        choices: Title -> rows.
    """
    rows = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *choices.values()]).astype(np.int64))
    frames = frame[rows]
    density = patterns.read_image(DENSITY, frames).astype(np.float32) if DENSITY in patterns.images else None
    return ShownPatterns(
        choices=choices,
        row=rows,
        intensity=patterns.read_stored(frames),
        mask=np.ascontiguousarray(patterns.read_mask(frames)),
        density=density,
    )
