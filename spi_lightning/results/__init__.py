"""Results of a run: one dataclass for each kind of answer and the files that hold them.

Written by evaluation, reconstruction, orientation and training, read by reports and users:

    result = read("runs/evaluate/RUN")   # one of the classes of Result, by what the folder holds
    result.primary.probability           # of hits: (N,) of the method that selects
    result.metrics["test/auroc"]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from spi_lightning.codec import load
from spi_lightning.errors import UserError

from .densities import DENSITIES_FILE, DensityComparison
from .hits import HITS_FILE, HitResult
from .orientation import ORIENTATION_FILE, OrientationResult
from .phasing import PHASING_FILE, PhasingResult
from .supports import SUPPORTS_FILE, SupportResult
from .training import LOG, TrainingResult
from .volumes import VOLUMES_FILE, VolumeResult

Result = (
    HitResult | PhasingResult | OrientationResult | SupportResult | VolumeResult | DensityComparison | TrainingResult
)


KINDS: Final[Mapping[str, Callable[[Path], Result]]] = {
    HITS_FILE: HitResult.load,
    PHASING_FILE: lambda folder: load(folder / PHASING_FILE, PhasingResult),
    ORIENTATION_FILE: lambda folder: load(folder / ORIENTATION_FILE, OrientationResult),
    SUPPORTS_FILE: lambda folder: load(folder / SUPPORTS_FILE, SupportResult),
    VOLUMES_FILE: lambda folder: load(folder / VOLUMES_FILE, VolumeResult),
    DENSITIES_FILE: lambda folder: load(folder / DENSITIES_FILE, DensityComparison),
    LOG: TrainingResult.load,
}
"""File that determines the kind of a run folder -> function that reads the result of such a folder."""


def result_file(run: str | os.PathLike[str]) -> str:
    """File of a run folder that determines the kind of its result, a key of KINDS.

    Raises:
        UserError: There is no such folder, or it holds no result.
    """
    if Path(run).is_file():
        raise UserError(f"{run}: is a file of a run; name its folder, {Path(run).parent}")
    if not Path(run).is_dir():
        raise UserError(f"{run}: there is no such folder; name the folder of a run")
    for name in KINDS:
        if (Path(run) / name).is_file():
            return name
    raise UserError(f"{run}: holds no result ({', '.join(KINDS)}); name the folder of a run that has ended")


def read(run: str | os.PathLike[str]) -> Result:
    """Result of a run, an object of the dataclass of its kind.

    Args:
        run: Folder of a training, an evaluation, a phasing, an orientation run or a comparison of densities.

    Raises:
        UserError: The folder holds no result, or a damaged one.

    Examples:
        >>> from spi_lightning import read
        >>> type(read("runs/small")).__name__
        'TrainingResult'
    """
    return KINDS[result_file(run)](Path(run))


__all__ = [
    "KINDS",
    "DensityComparison",
    "HitResult",
    "OrientationResult",
    "PhasingResult",
    "Result",
    "SupportResult",
    "TrainingResult",
    "VolumeResult",
    "read",
    "result_file",
]
