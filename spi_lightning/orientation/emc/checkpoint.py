"""Outputs of EMC as its checkpoints: intensity and fluences are all that passes from one iteration to the next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from spi_lightning.io.dragonfly.write_output import write_log, write_output
from spi_lightning.physics.rotations.sampling import RotationSamples

from .iteration import EmcState, EmcStep
from .settings import EmcSettings

OUTPUT: Final = "data"
LOG: Final = "EMC.log"
_KEY: Final = "params/fingerprint"


@dataclass(frozen=True)
class Checkpoint:
    """Output of an iteration, from which the next one starts.

    Attributes:
        iteration: Number of the iteration.
        intensity: (M, M, M) ordered z, y, x.
        scale: (N,) fluences.
    """

    iteration: int
    intensity: NDArray[np.float64]
    scale: NDArray[np.float64]

    def state(self, device: torch.device) -> EmcState:
        """The state on a device, in single precision as it was written."""
        return EmcState(
            torch.from_numpy(self.intensity).to(device, torch.float32), torch.from_numpy(self.scale).to(device)
        )


def outputs(folder: Path) -> dict[int, Path]:
    """Outputs of a run folder by the number of their iteration, in order."""
    found = {
        int(number[1]): file
        for file in (folder / OUTPUT).glob("output_*.h5")
        if (number := re.fullmatch(r"output_(\d+)\.h5", file.name))
    }
    return dict(sorted(found.items()))


def last_checkpoint(folder: Path, key: str) -> Checkpoint | None:
    """The last output that was made from the same patterns and settings, by its fingerprint; None without one."""
    for number, path in reversed(outputs(folder).items()):
        try:
            with h5py.File(path) as file:
                if _KEY not in file or file[_KEY].asstr()[()] != key:
                    continue
                intensity = np.ascontiguousarray(file["intens"][0].transpose(2, 1, 0))
                return Checkpoint(number, intensity, file["scale"][()])
        except OSError:  # a damaged copy
            continue
    return None


def write_checkpoint(
    folder: Path,
    number: int,
    step: EmcStep,
    samples: RotationSamples,
    settings: EmcSettings,
    key: str,
    keep: str,
    log: Mapping[str, NDArray[np.float64]],
) -> None:
    """Write the output of an iteration and the log; remove the outputs that are not kept.

    Args:
        folder: Run folder.
        number: Number of the iteration.
        step: Its result.
        samples: Sampled orientations.
        settings: Settings of the algorithm.
        key: Fingerprint of patterns and settings.
        keep: ``last`` removes earlier outputs; those of later iterations, made from something else, are always removed.
        log: Columns of EMC.log up to this iteration.
    """
    arrays = {
        "intens": step.state.intensity.double(),
        "inter_weight": step.weight,
        "scale": step.state.scale,
        "orientations": step.orientation.int(),
        "likelihood": step.likelihood,
        "mutual_info": step.information,
        "quaternions": torch.cat([samples.quaternion, samples.weight[:, None]], dim=1),
    }
    write_output(
        folder / OUTPUT / f"output_{number:03d}.h5",
        {name: array.cpu().numpy() for name, array in arrays.items()},
        step.candidate.cpu().numpy(),
        step.probability.double().cpu().numpy(),
        {
            **asdict(settings),
            "iteration": number,
            "num_rot": len(samples),
            "program": "spi_lightning",
            "fingerprint": key,
        },
    )
    write_log(folder / LOG, log)
    for other, path in outputs(folder).items():
        if other > number or (other < number and keep == "last"):
            path.unlink(missing_ok=True)
