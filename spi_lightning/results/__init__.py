"""Results of a run: one dataclass for each kind of answer and the files that hold them.

Written by evaluation, reconstruction and orientation, read by reports and users:

    result = read("runs/evaluate/RUN")   # HitResult, SupportResult, VolumeResult, PhasingResult or OrientationResult
    result.primary.probability           # of hits: (N,) of the method that selects
    result.metrics["test/auroc"]
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from spi_lightning.codec import load
from spi_lightning.errors import UserError

from .hits import HITS_FILE, HitResult
from .orientation import ORIENTATION_FILE, OrientationResult
from .phasing import PHASING_FILE, PhasingResult
from .supports import SUPPORTS_FILE, SupportResult
from .volumes import VOLUMES_FILE, VolumeResult

KINDS: Final[Mapping[str, Any]] = {
    HITS_FILE: HitResult,
    PHASING_FILE: PhasingResult,
    ORIENTATION_FILE: OrientationResult,
    SUPPORTS_FILE: SupportResult,
    VOLUMES_FILE: VolumeResult,
}
"""File of a run folder that holds its result, and the dataclass of the result; written with codec.save."""


def read(run: str | os.PathLike[str]) -> Any:
    """Result of a run, an object of the dataclass in KINDS that its folder holds.

    Args:
        run: Folder of an evaluation, a phasing or an orientation run that has ended. Of a training run, metrics.csv and
            metrics.json hold the numbers.

    Raises:
        UserError: The folder holds no result, or a damaged one.
    """
    if not Path(run).is_dir():
        raise UserError(f"{run}: is not a folder; name the folder of a run that has ended")
    for name, kind in KINDS.items():
        if (Path(run) / name).is_file():
            return HitResult.load(Path(run)) if kind is HitResult else load(Path(run) / name, kind)
    raise UserError(f"{run}: holds no result ({', '.join(KINDS)}); name a finished evaluation, phasing or orientation")


__all__ = [
    "KINDS",
    "HitResult",
    "OrientationResult",
    "PhasingResult",
    "SupportResult",
    "VolumeResult",
    "read",
]
