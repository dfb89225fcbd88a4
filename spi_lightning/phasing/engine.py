"""Phasing engine: runs a recipe on many patterns and starts as one batch, in one to three dimensions."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spi_lightning.distributed import keep_freed_memory
from spi_lightning.errors import UserError
from spi_lightning.notes import Note
from spi_lightning.physics.fourier import fourier, inverse_fourier
from spi_lightning.physics.photons import counting_error
from spi_lightning.physics.support import autocorrelation_support
from spi_lightning.progress import Progress

from .checks import centre_notes, check_amplitude, check_support, plateau_note
from .constraints import CONSTRAINTS, DensityConstraint, FourierConstraint
from .recipe import Recipe, read_recipe
from .recipe_parts import Action, Shrinkwrap
from .shrinkwrap import blurred, sigma_now, support_level
from .updates import UPDATES, Constraints, solution


def random_phases(fourier_amplitude: Tensor, ndim: int, starts: int, seed: int, real: bool) -> Tensor:
    """Densities of measured Fourier amplitudes and independent uniform phases in [-pi, pi].

    Args:
        fourier_amplitude: (P, spatial) float, origin at n // 2, 0 where unmeasured.
        ndim: Number of spatial axes.
        starts: Number of densities per pattern.
        seed: Start k of pattern p depends on seed, p and k alone, for any batch and device.
        real: Whether phases obey phi(-q) = -phi(q), so that the densities are real.

    Returns:
        (P, starts, spatial), real or complex, origin at n // 2. Source: Wu et al. (2021), Methods.
    """
    patterns, generator = len(fourier_amplitude), torch.Generator()
    noise = torch.empty(patterns, starts, *fourier_amplitude.shape[1:], dtype=fourier_amplitude.dtype)
    imaginary = torch.empty_like(noise) if not real else None
    for p in range(patterns):
        for k in range(starts):
            generator.manual_seed(((seed * 1_000_003 + p) * 1_000_003 + k) % 2**63)
            noise[p, k].normal_(generator=generator)
            if imaginary is not None:
                imaginary[p, k].normal_(generator=generator)
    drawn = noise if imaginary is None else torch.complex(noise, imaginary)
    spectrum = fourier(drawn.to(fourier_amplitude.device), ndim)
    density = inverse_fourier(spectrum.sgn() * fourier_amplitude[:, None], ndim)
    return density.real.contiguous() if real else density


_LEVEL = 0.04  # of the maximum of the autocorrelation, which rings through zeros at unmeasured pixels
_LOOK = 50  # updates between checks of the errors, each of which waits for the device


@dataclass(frozen=True)
class Phased:
    """Result of phasing; B = patterns x starts, the starts of one pattern together; origin at n // 2.

    Attributes:
        density: (B, spatial) float, or complex for the constraint "complex", in the scale of the amplitudes.
        support: (B, spatial) bool, the final supports.
        error: (iterations, B) relative Fourier error after each update, as bounded by the gap of phasing.updates;
            fewer rows after an early stop.
        seconds: Wall time of the iterations, s.
        notes: Notes for the user on the centre and on errors that stay high.
    """

    density: Tensor
    support: Tensor
    error: Tensor
    seconds: float
    notes: tuple[Note, ...] = ()


@torch.no_grad()
def phase(
    fourier_amplitude: Tensor,
    mask: Tensor | None,
    recipe: str | Sequence[Any] | Recipe,
    constraint: str = "positive",
    support: Tensor | None = None,
    starts: int = 1,
    seed: int = 0,
    start: Tensor | None = None,
    ndim: int | None = None,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
    least_oversampling: float = 2.0,
    stop_below: float = 0.0,
    check_centre: bool = True,
    counts: bool | None = None,
) -> Phased:
    """Retrieve the phases of P patterns, each from several starts, in one batch.

    Args:
        fourier_amplitude: (P, spatial) float32 or float64, sqrt(intensity), origin at n // 2; sets the precision.
        mask: Bool, broadcast against the amplitudes, True = measured; None: all pixels. Unmeasured pixels float.
        recipe: ``50*ER + 20*(100*HIO(0.9) + 10*ER) + shrinkwrap(1.0, 0.1)/10``, its YAML form, or a Recipe.
        constraint: "positive" (real, not negative), "real" or "complex".
        support: Bool, (spatial), (P, spatial) or (P * starts, spatial), origin at n // 2; None: the support of
            the thresholded autocorrelation.
        starts: Number of independent starts per pattern, B = P * starts.
        seed: Start k of pattern p depends on seed, p and k alone.
        start: Initial densities, shapes as for the support; None: random phases in [-pi, pi].
        ndim: Number of spatial axes; None: all but the first.
        device: Device of the computation and of the result; None: that of fourier_amplitude.
        progress: Called after every update with its number, from 1, that of all updates, and the errors (B,).
        least_oversampling: Least ratio of array to support, for supports that no shrink-wrap moves.
        stop_below: Error of all starts at which to stop early, checked every 50 updates; 0: never.
        check_centre: Whether to note patterns of real densities whose centre of inversion is not n // 2.
        counts: Whether the squared amplitudes are photon counts, whose noise explains an error; None: where all are
            whole numbers.

    Raises:
        UserError: Amplitudes are not finite, negative or all zero, shapes do not match, a support is empty or too
            large, or the recipe has a mistake.
    """
    read = read_recipe(recipe)
    amplitude, measured = _prepared(fourier_amplitude, mask, constraint, starts, ndim, device)
    axes = amplitude.ndim - 1
    notes = centre_notes(amplitude, measured) if check_centre and axes == 2 and constraint != "complex" else []
    inside = _first_supports(support, amplitude, measured, starts)
    if support is not None:
        check_support(inside, axes, 1.0 if read.moves_support else least_oversampling)
    scale = amplitude.square().flatten(1).mean(1).sqrt().view(-1, 1, *(1,) * axes)
    density = _first_densities(start, amplitude, scale, starts, seed, real=constraint != "complex")
    run = _Run(amplitude / scale[:, 0], measured, density, inside, constraint)
    error = run.run(read, progress, stop_below)
    if not read.moves_support:
        notes += plateau_note(error, starts, counting_error(amplitude, measured, counts))
    for note in notes:
        warnings.warn(str(note), stacklevel=3)
    found, last = run.found() * scale, run.support()
    return Phased(found.flatten(0, 1), last.expand(found.shape).flatten(0, 1), error, run.seconds, tuple(notes))


def _first_supports(support: Tensor | None, amplitude: Tensor, mask: Tensor, starts: int) -> Tensor:
    """Initial supports, (P or 1, starts or 1, spatial) bool: those of the caller or of the autocorrelation."""
    if support is None:
        intensity = torch.where(mask, amplitude, 0).square()
        return autocorrelation_support(intensity, None, _LEVEL, 0, False, False, amplitude.ndim - 1)[0][:, None]
    inside = _of_each_start(support.bool(), "support", len(amplitude), starts, amplitude.shape[1:])
    return inside.to(amplitude.device)


def _first_densities(
    start: Tensor | None, amplitude: Tensor, scale: Tensor, starts: int, seed: int, real: bool
) -> Tensor:
    """Initial densities (P, starts, spatial) over ``scale`` (P, 1, ...): those of the caller or of random phases."""
    if start is None:
        return random_phases(amplitude / scale[:, 0], amplitude.ndim - 1, starts, seed, real=real)
    patterns, spatial = len(amplitude), amplitude.shape[1:]
    density = _of_each_start(start.to(amplitude.device), "start", patterns, starts, spatial) / scale
    return density.expand(patterns, starts, *spatial)


class _Run:
    """State of one batch: iterate (P, starts, spatial), constraints, last update, wall time; origins at index 0."""

    def __init__(self, amplitude: Tensor, mask: Tensor, density: Tensor, support: Tensor, constraint: str) -> None:
        self.axes = tuple(range(2, density.ndim))
        self.complex = constraint == "complex"
        density = torch.fft.ifftshift(density, dim=self.axes)
        if self.complex:
            density = torch.view_as_real(density.to(amplitude.dtype.to_complex()))
        elif density.is_complex():
            density = density.real
        self.x = density.to(amplitude.dtype, memory_format=torch.contiguous_format, copy=True)
        amplitude, mask, support = (
            torch.fft.ifftshift(each, dim=self.axes) for each in (amplitude[:, None], mask[:, None], support)
        )
        data = FourierConstraint(amplitude, mask, self.x.shape[1], real=not self.complex)
        self.on = Constraints(data, DensityConstraint(support, self.x.shape, constraint, self.x.dtype), self.x)
        self.last: Action = Action("ER")
        self.uses: dict[Shrinkwrap, int] = {}
        self.seconds = 0.0

    def run(self, recipe: Recipe, progress: Progress | None, stop_below: float) -> Tensor:
        """Run the updates of a recipe, fewer if all errors fall below a value before; errors (iterations, B)."""
        if self.x.device.type == "cpu":
            keep_freed_memory()  # the transforms allocate, and page faults would double their time
        begin, error = time.perf_counter(), self.x.new_empty(recipe.iterations, *self.x.shape[:2])
        iteration, kept = 0, []
        for action in recipe.actions():
            if action.do == "copy":
                kept.append((self.x.clone(), self.last))
            elif action.do == "restore":
                x, last = kept.pop()
                if iteration < recipe.iterations:  # a copy refined at the very end is the result
                    self.x, self.last = x, last
            else:
                error[iteration] = UPDATES[action.do].run(self.x, self.on, **action.options)
                iteration, self.last = iteration + 1, action
                for wrap in action.shrinkwraps:
                    if wrap.acts(iteration):
                        self.shrink(wrap)
                if progress is not None:
                    progress(iteration, recipe.iterations, error[iteration - 1].flatten())
                if stop_below and iteration % _LOOK == 0 and bool((error[iteration - 1] < stop_below).all()):
                    break
        self.seconds = time.perf_counter() - begin
        return error[:iteration].flatten(1)

    def shrink(self, wrap: Shrinkwrap) -> None:
        """Update the supports of all starts by shrink-wrap."""
        used, ndim = self.uses.get(wrap, 0), len(self.axes)
        spare, spectrum = self.on.spare, None  # the buffers of the constraints are free between updates
        if self.complex:
            torch.mul(self.x, self.x, out=spare)
            amplitude = torch.add(spare[..., 0], spare[..., 1]).sqrt_()
        else:
            amplitude, spectrum = torch.abs(self.x, out=spare), self.on.data.spectrum
        smooth = blurred(amplitude, sigma_now(wrap, used), ndim, spectrum, out=amplitude)
        self.on.density.set_support(smooth, support_level(smooth, wrap, ndim))
        self.uses[wrap] = used + 1

    def found(self) -> Tensor:
        """Densities of the iterates, (P, starts, spatial)."""
        density = solution(self.x, self.on, self.last.do, self.last.options)
        density = torch.view_as_complex(density) if self.complex else density
        centred: Tensor = torch.fft.fftshift(density, dim=self.axes)
        return centred

    def support(self) -> Tensor:
        """Current supports, (P or 1, starts or 1, spatial) bool."""
        centred: Tensor = torch.fft.fftshift(self.on.density.support, dim=self.axes)
        return centred


def _prepared(
    fourier_amplitude: Tensor, mask: Tensor | None, constraint: str, starts: int, ndim: int | None, device: Any
) -> tuple[Tensor, Tensor]:
    """Validated amplitudes, 0 where unmeasured, and mask, (P, spatial) both."""
    if constraint not in CONSTRAINTS:
        raise UserError(f"constraint={constraint!r}: known are {', '.join(CONSTRAINTS)}")
    if starts < 1:
        raise UserError(f"starts={starts}: at least one start is needed")
    ndim = fourier_amplitude.ndim - 1 if ndim is None else ndim
    if not 1 <= ndim <= 3 or fourier_amplitude.ndim != ndim + 1:
        raise UserError(
            f"fourier_amplitude: shape {tuple(fourier_amplitude.shape)} is not (patterns, spatial) with {ndim} "
            "spatial axes, 1 to 3"
        )
    amplitude = fourier_amplitude.detach().to(device or fourier_amplitude.device)
    amplitude = amplitude if amplitude.dtype == torch.float64 else amplitude.float()
    measured = torch.ones((), dtype=torch.bool) if mask is None else mask.bool()
    try:
        measured = measured.to(amplitude.device).expand(amplitude.shape)
    except RuntimeError:
        raise UserError(
            f"mask: shape {tuple(measured.shape)} does not fit fourier_amplitude {tuple(amplitude.shape)}"
        ) from None
    check_amplitude(amplitude, measured)
    return torch.where(measured, amplitude, 0), measured


def _of_each_start(values: Tensor, name: str, patterns: int, starts: int, spatial: torch.Size) -> Tensor:
    """Reshape (spatial), (P, spatial) or (P * starts, spatial) to (P or 1, starts or 1, spatial)."""
    if values.shape == spatial:
        return values[None, None]
    if values.shape[1:] == spatial and len(values) == patterns * starts:
        return values.view(patterns, starts, *spatial)
    if values.shape[1:] == spatial and len(values) in (1, patterns):
        return values[:, None]
    raise UserError(
        f"{name}: shape {tuple(values.shape)} does not fit {patterns} patterns x {starts} starts of {tuple(spatial)}"
    )
