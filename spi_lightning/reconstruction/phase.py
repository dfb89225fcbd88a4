"""What is phased and how: from settings and a measured pattern to phased starts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError, whole_number
from spi_lightning.methods.hits.checkpoint import find_device
from spi_lightning.notes import Note
from spi_lightning.phasing import Phased, Recipe, hold_out, phase, read_recipe
from spi_lightning.phasing.constraints import CONSTRAINTS
from spi_lightning.physics.partial_coherence import require_width
from spi_lightning.progress import Progress, ProgressBar

from .region import require_determined
from .start import starting_density, starting_support

_NUMBERS: Final = {"held_out": 0.5, "disagreement": 2.0, "least_oversampling": 100.0, "start_noise": 100.0}  # below
_STEPS: Final = 200  # of the polish where polish=auto has one


@dataclass(frozen=True)
class Task:
    """What is phased and how: the pattern, the pixels to fit and to judge by, the beginning, and the recipe.

    support (spatial) bool; start (starts, spatial) or None; everything on one device. polish_steps of L-BFGS after the
    recipe, point_spread the first width (pixels) of a blur that they fit along with the density; None: none.
    """

    amplitude: Tensor
    fitted: Tensor
    held: Tensor
    support: Tensor
    start: Tensor | None
    recipe: Any
    constraint: str
    starts: int
    seed: int
    notes: tuple[Note, ...] = ()
    polish_steps: int = 0
    point_spread: float | None = None

    @property
    def begins_alike(self) -> bool:
        """Whether all starts begin from the same density, which makes their agreement worthless."""
        return self.start is not None and self.starts > 1 and bool((self.start == self.start[:1]).all())


def prepare(cfg: DictConfig, measured: Measurement) -> Task:
    """Check the settings and make what phasing begins with."""
    starts, seed = whole_number("starts", cfg.starts, 1), whole_number("seed", cfg.seed, 0)
    _require_numbers(cfg)
    _require_halves(cfg, measured)
    recipe = _recipe(cfg.phasing.recipe)
    constraint, ndim = str(cfg.phasing.constraint), measured.mask.ndim
    if constraint not in CONSTRAINTS:
        raise UserError(f"phasing.constraint={constraint!r}: known are {', '.join(CONSTRAINTS)}")
    steps, width = _polish(cfg, constraint, ndim), require_width(cfg.point_spread, "point_spread")
    device = find_device(cfg.device)
    fitted, held = measured.mask, torch.zeros_like(measured.mask)
    if cfg.held_out:
        fitted, held = hold_out(measured.mask, cfg.held_out, seed, ndim, pairs=constraint != "complex")
    settings = cfg.copy()
    settings.starts = starts
    notes: list[Note] = []
    support = starting_support(cfg, measured, notes)
    require_determined(support, str(cfg.support), recipe.moves_support)
    start = starting_density(settings, measured, support, notes)
    return Task(
        measured.fourier_amplitude.to(device),
        fitted.to(device),
        held.to(device),
        support.to(device),
        None if start is None else start.to(device),
        recipe,
        constraint,
        starts,
        seed,
        tuple(notes),
        steps,
        width,
    )


def _require_numbers(cfg: DictConfig) -> None:
    for name, below in _NUMBERS.items():
        if not isinstance(cfg[name], int | float) or not 0 <= cfg[name] < below:
            raise UserError(f"{name}={cfg[name]}: give a number from 0 to {below:g}")
    if not isinstance(cfg.support_threshold, int | float) or not 0 < cfg.support_threshold < 1:
        raise UserError(
            f"support_threshold={cfg.support_threshold}: give a number above 0 and below 1, such as 0.004; it is a "
            "fraction of the largest autocorrelation"
        )


def _polish(cfg: DictConfig, constraint: str, ndim: int) -> int:
    """Steps of the polish. Raises UserError where there can be none."""
    if cfg.polish == "auto":
        return _STEPS if constraint == "complex" and ndim == 3 else 0
    if not isinstance(cfg.polish, int | float) or not math.isfinite(cfg.polish):
        raise UserError(f"polish={cfg.polish}: give a whole number of steps, 0 for none, or auto")
    steps = whole_number("polish", cfg.polish, 0)
    if steps and constraint != "complex":
        raise UserError(
            f"polish={steps} would leave phasing.constraint={constraint}: give polish=0, or phasing.constraint=complex"
        )
    return steps


def _require_halves(cfg: DictConfig, measured: Measurement) -> None:
    """UserError where photons are to be halved and there are none."""
    if not isinstance(cfg.halves, bool):
        raise UserError(f"halves={cfg.halves}: give true or false")
    if not cfg.halves or measured.whole:
        return
    if measured.counted:
        why = "these were divided by a whitefield or monitor; leave halves=false"
        if measured.poisson:
            why = "blocks of voxels that were measured in part were scaled; leave halves=false, or give bins of 1"
        raise UserError(f"halves=true divides whole photons in two, and {why}")
    raise UserError(
        "halves=true divides photons in two, and this pattern holds no photon counts; leave halves=false, or give "
        "data.adu_per_photon= for detector units"
    )


def _recipe(given: object) -> Recipe:
    """The recipe of a text or of a list of its parts."""
    if not isinstance(given, str | ListConfig) or (isinstance(given, str) and given.strip().isdigit()):
        raise UserError(f"phasing.recipe={given}: give a recipe such as 200*HIO(0.9) + 50*ER")
    return read_recipe(given if isinstance(given, str) else cast(list[Any], OmegaConf.to_container(given)))


def run_task(task: Task, amplitude: Tensor, title: str) -> Phased:
    """Phase some amplitudes of a pattern from all starts, with a bar that shows the least error of their iterates."""
    with progress_of(title, task.recipe.iterations, "error of iterates") as shown, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the notes say the same
        return phase(
            amplitude[None],
            task.fitted[None],
            task.recipe,
            task.constraint,
            support=task.support,
            starts=task.starts,
            seed=task.seed,
            start=task.start,
            progress=shown,
            check_centre=False,
        )


@contextmanager
def progress_of(title: str, iterations: int, what: str) -> Iterator[Progress]:
    """A bar with the iteration and the least error of the starts, ``what`` naming it.

    That of iterates is the relative Fourier error before an update, whose projections change it further; the densities
    that are written have another one.
    """
    with ProgressBar(always=True) as bars:
        bar = bars.add_task(title, total=iterations)

        def shown(iteration: int, iterations: int, error: Tensor) -> None:
            if iteration % 20 == 0 or iteration == iterations:
                bars.update(bar, completed=iteration, description=f"{title}, {what} {float(error.min()):.2e}")

        yield shown
