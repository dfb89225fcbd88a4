"""Test experiments written independently of the package's simulator: closed forms of single bodies, in NumPy.

Nothing is taken from ``spi_lightning/simulate``. Scattering vectors lie on the Ewald sphere, exactly; the transform of
a scene is the sum of the transforms of its bodies times exp(-2 pi i q.r); a pixel sees it in its solid angle, which
falls with the cube of the cosine of the scattering angle, and through the polarisation of the beam. Bodies: sphere,
core-shell sphere, ellipsoid, cylinder, parallelepiped. Source: Guinier & Fournet (1955), Sect. 2.1; Feigin & Svergun
(1987), Sect. 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

from .experiments import Experiment
from .frames import BLANK, Frames, kinds_of_blanks

Array = NDArray[np.float64]
SINGLE, CONTAMINANT, MANY = 0, 5, 4  # values of fields.Kind, which files of labels hold
_KINDS: Final = ((0, 0.5), (1, 0.15), (2, 0.07), (3, 0.04), (MANY, 0.06), (CONTAMINANT, 0.18))
_TRIES: Final = 40


@dataclass(frozen=True)
class Body:
    """One uniform body, or a sphere with a core.

    Attributes:
        form: ``sphere``, ``core_shell``, ``ellipsoid``, ``cylinder`` or ``brick``.
        size: Half lengths along its own axes x, y, z, m; of a cylinder radius, radius and half height.
        core: Radius of the core over that of the sphere, and its density over that of the shell, less 1.
        turn: (3, 3) rotation from the body to the laboratory.
        centre: (3,) position x, y, z in the laboratory, z along the beam, m.
    """

    form: str
    size: tuple[float, float, float]
    core: tuple[float, float] = (0.0, 0.0)
    turn: Array = field(default_factory=lambda: np.eye(3))
    centre: Array = field(default_factory=lambda: np.zeros(3))

    @property
    def reach(self) -> float:
        """Radius of the smallest sphere around it, m."""
        a, b, c = self.size
        if self.form == "brick":
            return float(np.sqrt(a * a + b * b + c * c))
        return float(np.hypot(a, c)) if self.form == "cylinder" else max(self.size)

    @property
    def volume(self) -> float:
        """Volume of the whole body, m^3."""
        box = 8.0 * float(np.prod(self.size))
        return box * {"brick": 1.0, "cylinder": np.pi / 4}.get(self.form, np.pi / 6)

    def of_diameter(self, diameter: float) -> "Body":
        """The same body with the volume of a sphere of a diameter, m."""
        factor = diameter / (6 * self.volume / np.pi) ** (1 / 3)
        a, b, c = self.size
        return replace(self, size=(a * factor, b * factor, c * factor))

    def transform(self, q: Array) -> NDArray[np.complex128]:
        """Integral of exp(-2 pi i q.r) over the body, density 1: (..., 3) 1/m -> (...) m^3."""
        inside = 2 * np.pi * (q @ self.turn)
        size = np.asarray(self.size)
        if self.form == "brick":
            value = 8 * np.prod(size) * np.prod(np.sinc(inside * size / np.pi), axis=-1)
        elif self.form == "cylinder":
            around = np.maximum(np.hypot(inside[..., 0], inside[..., 1]) * size[0], 1e-9)
            value = self.volume * 2 * j1(around) / around * np.sinc(inside[..., 2] * size[2] / np.pi)
        else:
            value = self.volume * _ball(np.linalg.norm(inside * size, axis=-1))
            share, contrast = self.core
            if share > 0:
                value += contrast * share**3 * self.volume * _ball(share * np.linalg.norm(inside * size, axis=-1))
        phase: NDArray[np.complex128] = np.exp(-2j * np.pi * (q @ self.centre))
        return value * phase


def _ball(x: Array) -> Array:
    """3 (sin x - x cos x) / x^3, the transform of a sphere over its volume."""
    x = np.maximum(x, 1e-3)
    return np.asarray(3 * (np.sin(x) - x * np.cos(x)) / x**3)


def directions(shape: tuple[int, int], beam: tuple[float, float], pixel: float, distance: float) -> Array:
    """Unit vectors x, y, z from the particle to the pixels, (H, W, 3)."""
    row, column = np.indices(shape, dtype=np.float64)
    vector = np.stack([(column - beam[1]) * pixel, (row - beam[0]) * pixel, np.full(shape, distance)], axis=-1)
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True))


def rotation(random: np.random.Generator) -> Array:
    """Random rotation (3, 3), uniform over all: QR of a Gaussian matrix."""
    q, r = np.linalg.qr(random.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


def usual(experiment: Experiment, random: np.random.Generator) -> Body:
    """One usual particle at the origin, in a random orientation."""
    names, weights = list(experiment.bodies), np.array(list(experiment.bodies.values()))
    form = str(random.choice(names, p=weights / weights.sum()))
    a, b, c = np.exp(experiment.spread * random.normal(size=3))
    core = (0.0, 0.0)
    if form in ("sphere", "core_shell"):
        a = b = c = 1.0
        core = (random.uniform(0.55, 0.75), random.uniform(1.0, 3.0)) if form == "core_shell" else core
    elif form == "ellipsoid":
        c *= random.uniform(1.15, 1.35)
    elif form == "cylinder":
        a, b, c = a, a, c * random.uniform(0.8, 1.3)
    low, high = np.log(experiment.diameter)
    body = Body(form, (float(a), float(b), float(c)), core, rotation(random))
    return body.of_diameter(float(np.exp(random.uniform(low, high))))


def cluster(bodies: Sequence[Body], random: np.random.Generator, gap: tuple[float, float]) -> list[Body]:
    """Bodies put beside each other one by one, each at ``gap`` times the sum of radii from an earlier one.

    The radius is that of the sphere of equal volume; a place is tried until no other body is closer than contact.
    """
    placed = [bodies[0]]
    for body in bodies[1:]:
        for _ in range(_TRIES):
            beside = placed[random.integers(len(placed))]
            direction = random.normal(size=3)
            direction /= np.linalg.norm(direction)
            place = beside.centre + direction * random.uniform(*gap) * (_radius(beside) + _radius(body))
            if all(np.linalg.norm(place - one.centre) >= 0.95 * (_radius(one) + _radius(body)) for one in placed):
                break
        placed.append(replace(body, centre=place))
    return placed


def _radius(body: Body) -> float:
    return float((3 * body.volume / (4 * np.pi)) ** (1 / 3))


def scene(kind: int, experiment: Experiment, random: np.random.Generator) -> list[Body]:
    """Bodies of a frame of one kind."""
    if kind == SINGLE:
        return [usual(experiment, random)]
    if kind != CONTAMINANT:
        count = kind + 1 if kind < MANY else int(random.integers(5, 10))
        return cluster([usual(experiment, random) for _ in range(count)], random, (1.0, 1.15))
    body = usual(experiment, random)
    which = random.integers(5)
    if which == 0:  # of another size
        return [body.of_diameter(experiment.middle * float(random.choice([0.45, 0.6, 1.6, 2.2])))]
    if which == 1:  # a droplet
        return [Body("sphere", (1.0, 1.0, 1.0)).of_diameter(experiment.middle * random.uniform(1.6, 2.4))]
    if which == 2:  # a needle or a plate
        long = random.uniform(2.5, 4.0) ** random.choice([-1.0, 1.0])
        return [Body("ellipsoid", (1.0, 1.0, long), turn=rotation(random)).of_diameter(experiment.middle)]
    if which == 3:  # a pair far apart
        far = random.uniform(*experiment.separation)
        return cluster([body, usual(experiment, random)], random, (far, far))
    small = [usual(experiment, random).of_diameter(experiment.middle * random.uniform(0.3, 0.65)) for _ in range(7)]
    return cluster(small[: random.integers(4, 8)], random, (1.0, 1.2))


def draw(experiment: Experiment, frames: int, mask: NDArray[np.bool_], beam: tuple[float, float]) -> Iterator[Frames]:
    """Patterns of an experiment, one at a time: (1, H, W) photons and (1,) kind."""
    blank = kinds_of_blanks(experiment, frames)
    values, weights = zip(*_KINDS, strict=True)
    for frame in range(frames):
        random = np.random.default_rng([experiment.seed, frame])
        kind = BLANK if blank[frame] else int(random.choice(values, p=weights))
        expected = _background(experiment, mask, beam, random)
        if kind != BLANK:
            signal = _intensity(scene(kind, experiment, random), experiment, mask.shape, beam, random) * mask
            low, high = np.log(experiment.photons)
            expected += signal * np.exp(random.uniform(low, high)) / signal.sum()
        photons = random.poisson(expected * mask).astype(np.int32)
        yield Frames(photons[None], np.array([kind], dtype=np.int64))


def _intensity(
    bodies: Sequence[Body],
    experiment: Experiment,
    shape: tuple[int, ...],
    beam: tuple[float, float],
    random: np.random.Generator,
) -> Array:
    """Relative intensity of a scene at the pixels, (H, W); the beam strays by 0.3 pixels."""
    centre = (beam[0] + 0.3 * random.normal(), beam[1] + 0.3 * random.normal())
    unit = directions((shape[0], shape[1]), centre, experiment.pixel_size, experiment.distance)
    q = (unit - np.array([0.0, 0.0, 1.0])) / experiment.wavelength
    amplitude = sum((body.transform(q) for body in bodies), np.zeros(q.shape[:2], dtype=np.complex128))
    return np.asarray(np.abs(amplitude) ** 2 * unit[..., 2] ** 3 * (1 - unit[..., 0] ** 2))


def _background(
    experiment: Experiment, mask: NDArray[np.bool_], beam: tuple[float, float], random: np.random.Generator
) -> Array:
    """Expected background, (H, W) photons: a level, a halo around the beam, and one slope across the detector."""
    row, column = np.indices(mask.shape)
    level = np.exp(random.uniform(*np.log(experiment.flat)))
    decay = random.uniform(*experiment.halo_radius)
    halo = np.exp(-np.hypot(row - beam[0], column - beam[1]) / decay)
    halo *= experiment.halo * np.exp(0.4 * random.normal()) / max(float((halo * mask).sum()), 1e-9)
    slope = 1 + 0.2 * random.uniform(-1, 1) * (column / mask.shape[1] - 0.5)
    return np.asarray(level * slope + halo)
