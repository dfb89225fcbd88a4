"""Where phasing begins: the first support and the first density, by name, from a network or from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from spi_lightning.baselines.triple_intersection import double_intersection, triple_intersection
from spi_lightning.data.measurement import Measurement
from spi_lightning.errors import UserError
from spi_lightning.fields import DENSITY, FRAME, INTENSITY, KNOWN_SUPPORT, MASK, SUPPORT
from spi_lightning.methods.resized import fitted_batch, on_coarser_pixels, on_finer_pixels, trained_size
from spi_lightning.notes import Note
from spi_lightning.phasing import with_phase_noise
from spi_lightning.physics.array import middle, resized
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.photons import counting_error
from spi_lightning.physics.support import ideal_support
from spi_lightning.tasks.checkpoint import find_checkpoint, load_task
from spi_lightning.tasks.support_prediction import SupportPrediction

from .region import autocorrelation_region, region_notes, require_room

UNKNOWN = 0.25  # see unexplained(): of a network's densities, what it was not trained for leaves more
_ZIP = b"PK"  # opening of a checkpoint
NAMED = ("autocorrelation", "circle", "box", "double_intersection", "triple_intersection", "ideal")


def starting_support(cfg: DictConfig, measured: Measurement, notes: list[Note] | None = None) -> Tensor:
    """The support that ``cfg.support`` names, bool of the pattern's shape, origin at n // 2.

    Args:
        cfg: support, support_threshold and least_oversampling of conf/phase.yaml.
        measured: The pattern.
        notes: Gets a line where the pattern hardly tells how large the particle is.

    Raises:
        UserError: An unknown name, a file of another shape, a simulated density that the data has not; a pattern
            sampled too coarsely.
    """
    name, shape = str(cfg.support), measured.mask.shape
    if name == "ideal":
        return resized(ideal_support(_truth(measured), ndim=len(shape)), shape)
    if name == "box":
        return _box(shape)
    if name not in NAMED:
        return _from_file(name, shape) if Path(name).suffix == ".npy" else network_answer(name, measured, SUPPORT)[0]
    ndim, (region, autocorrelation) = len(shape), autocorrelation_region(measured, cfg.support_threshold)
    require_room(region[0], cfg.least_oversampling, measured)
    if notes is not None:
        notes.extend(region_notes(autocorrelation[0], measured, cfg))
    if name == "circle":
        return _circle(region[0])
    if name == "double_intersection":
        return double_intersection(region, ndim=ndim)[0]
    if name == "triple_intersection":
        return triple_intersection(region, autocorrelation, ndim=ndim)[0]
    return region[0]


def starting_density(
    cfg: DictConfig, measured: Measurement, support: Tensor, notes: list[Note] | None = None
) -> Tensor | None:
    """(starts, spatial) densities of a network inside a support, each with its own phase noise; None: random phases.

    Doubts about the density go to the notes.
    """
    if cfg.start == "random":
        return None
    density, seen = network_answer(str(cfg.start), measured, DENSITY, support)
    if notes is not None:
        notes += doubts(str(cfg.start), density, measured, seen)
    return with_phase_noise(density[None], density.ndim, cfg.start_noise, cfg.starts, cfg.seed)[0]


def doubts(name: str, density: Tensor, measured: Measurement, seen: int | None = None) -> list[Note]:
    """What is to be said of a network's density (y, x) whose Fourier amplitudes are not those of the pattern.

    ``seen``: edge of the middle of the pattern that the network saw, pixel; it knows nothing of what lies outside.
    """
    left = unexplained(density, measured if seen is None else _middle_of(measured, seen))
    if left <= UNKNOWN:
        return []
    return [
        Note.of(
            f"start={name}: this density leaves a relative Fourier error of {left:.2f}, photon noise apart; the "
            "network does not seem to know such objects (a complex density?), and start=random may do better"
        )
    ]


def _middle_of(measured: Measurement, edge: int) -> Measurement:
    """The same pattern, of which only the middle counts as measured."""
    inside = torch.zeros_like(measured.mask)
    inside[middle(measured.mask.shape, edge)] = True
    return replace(measured, mask=measured.mask & inside, fourier_amplitude=measured.fourier_amplitude * inside)


def unexplained(density: Tensor, measured: Measurement) -> float:
    """Relative Fourier error of a density (y, x) at its best scale, less what counting photons explains; 0 to 1."""
    amplitude = measured.fourier_amplitude * measured.mask
    found = fourier(density.to(amplitude.dtype), density.ndim).abs() * measured.mask
    power, square = amplitude.square().sum(), found.square().sum().clamp_min(torch.finfo(found.dtype).tiny)
    error = 1 - (amplitude * found).sum().square() / (power * square)
    noise = counting_error(amplitude[None], measured.mask[None], measured.whole)[0]
    return float((error - noise.square()).clamp_min(0).sqrt())


def network_answer(path: str, measured: Measurement, name: str, known: Tensor | None = None) -> tuple[Tensor, int]:
    """Density or support of a trained network, brought to the shape of the pattern.

    The network is shown the middle of the pattern, as many pixels as it was trained on; that is the same field of view
    at a lower resolution, so its answer is interpolated onto the finer pixels. A density is answered inside a
    ``known`` support (y, x), in the twin that fits into it. With it comes the edge of that middle, pixel.

    Raises:
        UserError: No such run, one of another task, a pattern smaller than the network's.
    """
    _require_network(path, "start" if name == DENSITY else "support")
    if measured.mask.ndim != 2:
        raise UserError(f"{path}: a network of 2D patterns cannot answer a {measured.mask.ndim}D one.")
    task, config = load_task(path, instantiate, SupportPrediction)
    if name == DENSITY and task.logits:
        raise UserError(
            f"start={path}: this network answers where the particle is, not its density: give it as support=, and "
            "start=random or a network trained on densities (experiment=bellisario_density)."
        )
    size = trained_size(config)
    if size is None:
        raise UserError(f"{path}: its configuration does not say the size of the patterns it was trained on.")
    if size > min(measured.mask.shape):
        rows, columns = measured.mask.shape
        raise UserError(
            f"{path}: the network was trained on {size} x {size} pixels and the pattern has {rows} x {columns}: set "
            f"data.size={size} (times data.bin), with what lies beyond the detector as not measured; or use a network "
            "trained at this size."
        )
    whole = {
        INTENSITY: measured.fourier_amplitude.square()[None, None],
        MASK: measured.mask[None, None],
        FRAME: torch.zeros(1, dtype=torch.int64),
    }
    batch = fitted_batch(whole, size, path)
    if known is not None:
        batch[KNOWN_SUPPORT] = on_coarser_pixels(known[None], size)[:, None]
    with torch.no_grad():
        answer = task.predict_step(batch)[name].float().reshape(1, size, size)
    height, width = measured.mask.shape
    made = on_finer_pixels(answer, (height, width))[0]
    return made > 0.5 if name == SUPPORT else made.clamp_min(0), size


def _require_network(path: str, setting: str) -> None:
    """UserError for what is neither a run folder nor a file that may be a checkpoint, with what ``setting`` takes."""
    if Path(path).is_dir():
        find_checkpoint(path, setting)
        return
    if Path(path).is_file():
        with Path(path).open("rb") as file:
            if Path(path).suffix == ".ckpt" or file.read(2) == _ZIP:
                return
    is_file = ", a file of another kind," if Path(path).is_file() else ""
    named = "random" if setting == "start" else f"{', '.join(NAMED)}, nor a .npy file"
    raise UserError(f"{setting}={path}{is_file} is neither the run or checkpoint of a network nor one of {named}.")


def _truth(measured: Measurement) -> Tensor:
    if measured.density is None:
        raise UserError("support=ideal needs the density of a simulated file; choose another support.")
    return measured.density


def _box(shape: torch.Size) -> Tensor:
    """Half of each axis, around the middle. Source: Wu et al. (2021), Methods."""
    made = torch.zeros(shape, dtype=torch.bool)
    made[middle(shape, [n // 2 for n in shape])] = True
    return made


def _circle(region: Tensor) -> Tensor:
    """Disc or ball as wide as the particle's greatest elongation, half that of its autocorrelation."""
    squared = torch.zeros((), dtype=torch.float64)
    for axis, n in enumerate(region.shape):
        along = torch.arange(n, dtype=torch.float64) - n // 2
        squared = squared + along.square().view(-1, *(1,) * (region.ndim - 1 - axis))
    return squared <= squared[region].max() / 4


def _from_file(path: str, shape: torch.Size) -> Tensor:
    try:
        stored = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"support={path}: cannot be read, there is no such file.") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"support={path}: cannot be read; save a bool array with numpy.save.") from error
    if stored.shape != tuple(shape):
        raise UserError(f"support={path}: its shape {stored.shape} is not that of the pattern, {tuple(shape)}.")
    if stored.dtype.kind not in "biuf" or not np.isin(stored, (0, 1)).all():
        raise UserError(
            f"support={path}: it holds other values than True and False (or 1 and 0), {stored.dtype}; save "
            "density > threshold."
        )
    return torch.from_numpy(stored != 0)
