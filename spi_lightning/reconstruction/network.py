"""Support or starting density of a pattern to be phased, predicted by a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.fields import (
    AMPLITUDE,
    DENSITY,
    FOURIER_AMPLITUDE,
    FRAME,
    INTENSITY,
    KNOWN_SUPPORT,
    MASK,
    PHASE,
    SUPPORT,
)
from spi_lightning.methods.resized import fitted_batch, on_coarser_pixels, on_finer_pixels, trained_size
from spi_lightning.notes import Note
from spi_lightning.phasing import with_phase_noise
from spi_lightning.physics.agreement import chi_square, predicted_amplitude
from spi_lightning.physics.array import crop, middle, pad
from spi_lightning.physics.photons import counting_error
from spi_lightning.tasks.checkpoint_files import find_checkpoint, shipped_names
from spi_lightning.tasks.weights_file import SUFFIX

from .settings import ReconstructionSettings

MakeTask = Callable[..., Any]
"""Makes objects of configurations with ``_target_``: hydra.utils.instantiate."""

UNKNOWN: Final = 0.25  # relative Fourier error, noise apart, that networks leave of objects they were not trained on
_ZIP: Final = b"PK"  # first bytes of a checkpoint


def starting_density(
    measured: Measurement, settings: ReconstructionSettings, support: Tensor, make_task: MakeTask | None = None
) -> tuple[Tensor | None, list[Note]]:
    """First densities of the starts, (starts, spatial), None for random phases; and notes on a poor fit.

    Args:
        measured: The pattern to be phased.
        settings: Settings, of which start, start_noise, starts and seed are used.
        support: (spatial) bool, inside which the network predicts a density.
        make_task: See network_answer; needed where the start is a network's.

    Raises:
        UserError: Densities of another shape, or what network_answer raises.
    """
    shape, start = measured.mask.shape, settings.start
    if isinstance(start, Tensor):
        if start.shape[-len(shape) :] != shape or start.shape[: -len(shape)] not in ((), (settings.starts,)):
            raise UserError(
                f"start: shape {tuple(start.shape)} is neither that of the pattern, {tuple(shape)}, nor one density "
                f"for each of {settings.starts} starts"
            )
        return start.expand(settings.starts, *shape), []
    if start == "random":
        return None, []
    if len(shape) == 3:
        density, edge = _volume(start, measured, make_task)
        density = density if settings.for_kind(measured.kind).phasing.constraint == "complex" else density.abs()
    else:
        density, edge = network_answer(start, measured, DENSITY, make_task, ("random",), support)
    noisy = with_phase_noise(density[None], density.ndim, settings.start_noise, settings.starts, settings.seed)[0]
    return noisy, doubts(start, density, measured, edge)


def doubts(name: str, density: Tensor, measured: Measurement, edge: int | None = None) -> list[Note]:
    """Note on a predicted density whose Fourier amplitudes do not fit the pattern; none where they fit.

    Args:
        name: Run folder or checkpoint of the network.
        density: (y, x) or (z, y, x) density that the network predicted.
        measured: Pattern that the density is to explain.
        edge: Edge of the middle of the pattern that was the network's input, pixel; None: the whole pattern.
    """
    left = unexplained(density, measured if edge is None else _middle_of(measured, edge), measured.whole)
    if left <= UNKNOWN:
        return []
    text = (
        f"start={name}: this density leaves a relative Fourier error of {left:.2f}, photon noise apart; the network "
        "does not seem to know such objects (a complex density?), and start=random may do better"
    )
    return [Note.of(text)]


def _middle_of(measured: Measurement, edge: int) -> Measurement:
    """The same pattern, of which only the middle counts as measured."""
    inside = torch.zeros_like(measured.mask)
    inside[middle(measured.mask.shape, edge)] = True
    return replace(measured, mask=measured.mask & inside, fourier_amplitude=measured.fourier_amplitude * inside)


def unexplained(density: Tensor, measured: Measurement, counts: bool) -> float:
    """Relative Fourier error of a density (spatial) at its best scale, less what photon noise explains; 0 to 1.

    Args:
        density: (spatial) real or complex density.
        measured: Pattern that the density is to explain.
        counts: Whether the pattern holds photon counts, and their noise.
    """
    amplitude = measured.fourier_amplitude * measured.mask
    precise = torch.promote_types(density.dtype, amplitude.dtype)
    predicted, mask = predicted_amplitude(density.to(precise)[None]), measured.mask[None]
    noise = counting_error(amplitude[None], mask, counts)[0]
    return float((chi_square(predicted, amplitude[None], mask)[0] - noise.square()).clamp_min(0).sqrt())


def network_answer(
    path: str,
    measured: Measurement,
    name: str,
    make_task: MakeTask | None,
    others: Sequence[str] = (),
    known: Tensor | None = None,
) -> tuple[Tensor, int]:
    """Density or support that a trained network predicts on the pattern's pixels, and the edge of its input, pixel.

    The input is the middle of the pattern, as many pixels as in training; that is the same field of view at a lower
    resolution, so the prediction is interpolated onto the finer pixels.

    Args:
        path: Run folder (its best checkpoint is taken), checkpoint, or name of weights that the package brings.
        measured: Pattern whose middle is the input of the network; 2D.
        name: Field to answer, fields.DENSITY or fields.SUPPORT.
        make_task: Makes the task of the checkpoint's configuration; hydra.utils.instantiate.
        others: Other values of the setting, for the message.
        known: (y, x) bool, support inside which a density is answered, in the twin that fits into it.

    Returns:
        (y, x) bool support, or float density, 0 or more; and the edge.

    Raises:
        UserError: No such run, one of another task, a pattern smaller than the network's, a volume, or no make_task.
    """
    setting = "start" if name == DENSITY else "support"
    _require_network(path, setting, others)
    if measured.mask.ndim != 2:
        raise UserError(f"{path}: a network of 2D patterns cannot answer a {measured.mask.ndim}D one")
    from spi_lightning.tasks import SupportPrediction, load_task  # Lightning, only where a network is asked

    task, config = load_task(path, _maker(path, setting, make_task), SupportPrediction)
    if name == DENSITY and task.logits:
        raise UserError(
            f"start={path}: this network answers where the particle is, not its density: give it as support=, and "
            "start=random or a network trained on densities (experiment=bellisario_density)"
        )
    size = _size_of(path, config, measured)
    batch = _batch(path, measured, size, known)
    with torch.no_grad():
        answer = task.predict_step(batch)[name].float().reshape(1, size, size)
    height, width = measured.mask.shape
    made = on_finer_pixels(answer, (height, width))[0]
    return made > 0.5 if name == SUPPORT else made.clamp_min(0), size


def _volume(path: str, measured: Measurement, make_task: MakeTask | None) -> tuple[Tensor, int]:
    """Complex density (z, y, x) that a trained network predicts behind a 3D pattern, and the edge of its input, voxel.

    As in two dimensions its input is the middle of the pattern; the particle lies in the middle of the field of view.

    Raises:
        UserError: As network_answer.
    """
    _require_network(path, "start", ())
    from spi_lightning.tasks import ComplexReconstruction, load_task  # Lightning, only where a network is asked

    task, config = load_task(path, _maker(path, "start", make_task), ComplexReconstruction)
    size, shape = _size_of(path, config, measured), measured.mask.shape
    cut = {FOURIER_AMPLITUDE: measured.fourier_amplitude.float(), MASK: measured.mask}
    batch = {name: crop(values, [size] * 3)[None, None] for name, values in cut.items()}
    with torch.no_grad():
        answer = task.predict_step(batch | {FRAME: torch.zeros(1, dtype=torch.int64)})
    amplitude, phase = (answer[name][0].float() for name in (AMPLITUDE, PHASE))
    density = pad(torch.polar(amplitude, phase), [size] * 3)
    return torch.complex(*(on_finer_pixels(part, shape)[0] for part in (density.real, density.imag))), size


def _maker(path: str, setting: str, make_task: MakeTask | None) -> MakeTask:
    if make_task is None:
        raise UserError(f"{setting}={path}: a network's task needs make_task=hydra.utils.instantiate to be built")
    return make_task


def _size_of(path: str, config: dict[str, Any], measured: Measurement) -> int:
    """Edge of the patterns that a network was trained on, pixel, at most that of the pattern."""
    size = trained_size(config)
    if size is None:
        raise UserError(f"{path}: its configuration does not say the size of the patterns it was trained on")
    edges = measured.mask.shape
    if size > min(edges):
        trained, found = (" x ".join(map(str, shape)) for shape in ([size] * len(edges), edges))
        set_size = f"data.crop={size} (times data.bin), with what lies beyond the detector as not measured"
        remedy = f"set {set_size}; or use" if len(edges) == 2 else "use"
        unit = "pixels" if len(edges) == 2 else "voxels"
        raise UserError(
            f"{path}: the network was trained on {trained} {unit} and the pattern has {found}: {remedy} a network "
            "trained at this size"
        )
    return size


def _batch(path: str, measured: Measurement, size: int, known: Tensor | None) -> dict[str, Tensor]:
    """The middle of the pattern, and the known support on its pixels, as a batch of one."""
    whole = {
        INTENSITY: measured.fourier_amplitude.square()[None, None],
        MASK: measured.mask[None, None],
        FRAME: torch.zeros(1, dtype=torch.int64),
    }
    batch = fitted_batch(whole, size, path)
    if known is not None:
        batch[KNOWN_SUPPORT] = on_coarser_pixels(known[None], size)[:, None]
    return batch


def _require_network(path: str, setting: str, others: Sequence[str]) -> None:
    """UserError for what is no run folder, shipped weights or file that may hold weights, with what is taken."""
    file = Path(path)
    if file.is_dir() or (path in shipped_names() and not file.exists()):
        find_checkpoint(path, setting)
        return
    if file.is_file():
        with file.open("rb") as content:
            if file.suffix in (".ckpt", SUFFIX) or content.read(2) == _ZIP:
                return
    found = f"{setting}={path}{', a file of another kind,' if file.is_file() else ''}"
    named = "random" if setting == "start" else f"{', '.join(others)}, nor a .npy file"
    raise UserError(f"{found} is neither the run, checkpoint or name (spi weights) of a network nor one of {named}")
