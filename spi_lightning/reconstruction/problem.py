"""Phasing problem of one pattern: fitted and held-out pixels, first support and densities, recipe, constraint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.distributed import find_device
from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.phasing import Recipe, hold_out
from spi_lightning.phasing.checks import outside_centre
from spi_lightning.physics.agreement import held_out_fourier_error

from .network import MakeTask, starting_density
from .settings import ReconstructionSettings
from .support import starting_support


@dataclass(frozen=True)
class PhasingProblem:
    """What is phased and how; all tensors on one device, origins at n // 2.

    Attributes:
        measured: The pattern as it was measured.
        settings: Every choice of the reconstruction.
        amplitude: (spatial) float32 Fourier amplitudes, 0 where nothing was measured.
        fitted: (spatial) bool, pixels that densities are fitted to.
        held_out: (spatial) bool, measured pixels that float, for evaluation.
        support: (spatial) bool, where phasing begins.
        start: (starts, spatial) densities to begin with; None: random phases.
        notes: One line for each doubt about support and start.
    """

    measured: Measurement
    settings: ReconstructionSettings
    amplitude: Tensor
    fitted: Tensor
    held_out: Tensor
    support: Tensor
    start: Tensor | None = None
    notes: tuple[Note, ...] = ()

    @cached_property
    def recipe(self) -> Recipe:
        """The iterations as steps and groups."""
        return self.settings.phasing.read()

    @property
    def constraint(self) -> str:
        """Constraint on the density: ``positive``, ``real`` or ``complex``."""
        return self.settings.phasing.constraint

    def held_out_error(self, density: Tensor, amplitude: Tensor, point_spread: Tensor | None = None) -> Tensor:
        """Error (S,) of densities on the held-out pixels, see held_out_fourier_error; NaN without any.

        Args:
            density: (S, spatial) densities.
            amplitude: (spatial) measured amplitudes, of the pattern or of half its photons.
            point_spread: (S, axes) widths of the blur by partial coherence, pixel; None: none.
        """
        candidates = outside_centre(self.fitted | self.held_out, amplitude.ndim)
        return held_out_fourier_error(density, amplitude[None], self.held_out, candidates, point_spread)

    @property
    def polish_steps(self) -> int:
        """Steps of L-BFGS after the recipe; 0: none."""
        return self.settings.steps_of_polish(self.amplitude.ndim)

    @property
    def begins_alike(self) -> bool:
        """Whether all starts begin from the same density, which makes their agreement worthless."""
        return self.start is not None and len(self.start) > 1 and bool((self.start == self.start[:1]).all())


def prepare(
    measured: Measurement, settings: ReconstructionSettings, make_task: MakeTask | None = None
) -> PhasingProblem:
    """Check that a pattern can be reconstructed as the settings say, and make what phasing begins with.

    Args:
        measured: The pattern to be phased.
        settings: Every choice of the reconstruction.
        make_task: Makes the task of a network's checkpoint, hydra.utils.instantiate; needed where support or start is a
            network's.

    Raises:
        UserError: Halves without photon counts, a device that is not there, and what starting_support and
            starting_density raise.
    """
    ndim = measured.mask.ndim
    choice = _choice(settings, measured.kind)
    settings = settings.for_kind(measured.kind)
    _require_halves(measured, settings)
    constraint = settings.phasing.constraint
    device = find_device(settings.device)
    fitted, held_out = measured.mask, torch.zeros_like(measured.mask)
    if settings.held_out:
        pairs = constraint != "complex"
        fitted, held_out = hold_out(measured.mask, settings.held_out, settings.seed, ndim, pairs=pairs)
    support, notes = starting_support(measured, settings, make_task)
    start, doubts = starting_density(measured, settings, support, make_task)
    return PhasingProblem(
        measured,
        settings,
        measured.fourier_amplitude.to(device),
        fitted.to(device),
        held_out.to(device),
        support.to(device),
        None if start is None else start.to(device),
        (*choice, *notes, *doubts),
    )


def _choice(settings: ReconstructionSettings, kind: str) -> list[Note]:
    """Line on the defaults of a volume of a Bragg crystal; none of other kinds, and where all words were given."""
    words = settings.chosen(kind) if kind == "crystal" else ""
    why = "the defaults of a 3D pattern, as of a Bragg crystal: strain gives its density a phase"
    remedy = "; a volume of a real density takes phasing.constraint=positive"
    return [Note.of(f"{words}: {why}{remedy * ('constraint' in words)}")] if words else []


def _require_halves(measured: Measurement, settings: ReconstructionSettings) -> None:
    """UserError where photons are to be halved and there are none."""
    if not settings.halves or measured.whole:
        return
    if measured.counted:
        why = "these were divided by a whitefield or monitor; leave halves=false"
        if measured.poisson:
            why = (
                "blocks of voxels that were measured in part were scaled; leave halves=false, or data.preparation.bin=1"
            )
        raise UserError(f"halves=true divides whole photons in two, and {why}")
    raise UserError(
        "halves=true divides photons in two, and this pattern holds no photon counts; leave halves=false, or give "
        "data.adu_per_photon= for detector units"
    )
