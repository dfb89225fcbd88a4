"""Scenes in the beam: single particles, touching clusters, far pairs and contaminants, with their positions."""

from collections.abc import Mapping
from dataclasses import field, replace

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.fields import BODY, DENSITY, DIAMETER, ORIENTATION, Kind
from spi_lightning.physics.rotations.orientations import random_quaternions
from spi_lightning.simulate.particles.shape import Family, Shape, UnitShape

from .draws import Range, WholeRange, chance, choose, log_uniform, random_directions, recipe, uniform
from .projection import BODIES
from .scattering import Particles

_TRIES = 12
_FORMS = 1 << 20  # numbers of the individuals of a family


def touching(diameter: Tensor, present: Tensor, gap: Tensor, generator: torch.Generator) -> Tensor:
    """Positions of touching clusters, grown by attaching each particle to an earlier one, without overlap if possible.

    Args:
        diameter: (B, J) diameters; any length unit.
        present: (B, J) bool, True for the particles a pattern has; these come first.
        gap: (B,) distance between neighbours over the sum of their radii; 1 is contact of spheres.
        generator: Random generator on the CPU.

    Returns:
        (B, J, 3) centres z, y, x around each cluster's mean; same unit.
    """
    patterns, slots = diameter.shape
    centre = torch.zeros(patterns, slots, 3)
    rows = torch.arange(patterns)
    for slot in range(1, slots):
        parent = (torch.rand(patterns, _TRIES, generator=generator) * slot).long()
        direction = random_directions(patterns * _TRIES, generator).view(patterns, _TRIES, 3)
        reach = gap[:, None] * (diameter[rows[:, None], parent] + diameter[:, slot, None]) / 2
        candidate = centre[rows[:, None], parent] + reach[..., None] * direction
        distance = (candidate[:, :, None] - centre[:, None, :slot]).norm(dim=-1)
        contact = (diameter[:, None, :slot] + diameter[:, slot, None, None]) / 2
        clearance = (distance / contact).amin(dim=2)
        best = torch.where(clearance > 0.95, clearance.new_tensor(2.0) - clearance, clearance - 2).argmax(dim=1)
        centre[:, slot] = candidate[rows, best]
    weight = present[..., None].float()
    return (centre - (centre * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)) * weight


def far_apart(separation: Tensor, generator: torch.Generator) -> Tensor:
    """Positions of two particles at a distance in a random direction: (B,) -> (B, 2, 3) centres z, y, x; same unit."""
    half = random_directions(len(separation), generator) * separation[:, None] / 2
    return torch.stack([half, -half], dim=1)


CONTAMINANTS = ("other_size", "droplet", "elongated", "satellite", "aggregate", "far_pair")


@recipe
class ParticleRecipe:
    """Distribution of one particle.

    Attributes:
        bodies: Weight of each body of simulate.projection.BODIES or of ``shapes``.
        diameter: Range of the diameter of the sphere of equal volume, m, log-uniform.
        stretch: Standard deviation of the logarithm of the three stretch factors.
        edge_blur: Range of the Gaussian width of the edge, m, uniform.
        density: Electron density above the surroundings, electrons/m^3.
        core_probability: Share of particles with a core.
        core_radius: Range of the radius of the core, diameters, uniform.
        core_contrast: Range of the relative density of the core, uniform (negative: hollow).
        core_offset: Largest distance of the core from the centre, diameters.
        shapes: Further bodies by name, and families of bodies, see particles.shape.
    """

    bodies: Mapping[str, float] = field(default_factory=lambda: {"icosahedron": 1.0})
    diameter: Range = (60e-9, 75e-9)
    stretch: float = 0.0
    edge_blur: Range = (0.0, 0.0)
    density: float = 4.3e29
    core_probability: float = 0.0
    core_radius: Range = (0.25, 0.42)
    core_contrast: Range = (-0.5, 0.5)
    core_offset: float = 0.0
    shapes: Mapping[str, Shape | Family] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = (*BODIES, *self.shapes)
        if unknown := set(self.bodies) - set(names):
            raise UserError(f"simulate.*.bodies: unknown body {sorted(unknown)}; choose from {', '.join(names)}")
        if known := set(self.shapes) & set(BODIES):
            raise UserError(f"simulate.*.shapes: {sorted(known)} is a body of its own; give the shape another name")
        self.unit_shapes: list[UnitShape | Family] = [
            shape if isinstance(shape, Family) else UnitShape(shape, name) for name, shape in self.shapes.items()
        ]

    def draw(self, size: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
        """Independent random particles of any ``size``, as a dict of the tensors of Particles."""
        count = int(torch.tensor(size).prod())
        weights = torch.tensor([float(self.bodies.get(body, 0.0)) for body in (*BODIES, *self.shapes)])
        stretch = (self.stretch * torch.randn(*size, 3, generator=generator)).exp()
        has_core = chance(self.core_probability, size, generator)
        offset = self.core_offset * uniform((0, 1), size, generator)[..., None]
        individual = torch.zeros(size, dtype=torch.int64)
        if any(isinstance(shape, Family) for shape in self.unit_shapes):
            individual = torch.randint(_FORMS, size, generator=generator)
        return {
            BODY: choose(weights, count, generator).view(size),
            DIAMETER: log_uniform(self.diameter, size, generator),
            "stretch": stretch / stretch.prod(-1, keepdim=True) ** (1 / 3),
            ORIENTATION: random_quaternions(count, generator).view(*size, 4),
            DENSITY: torch.full(size, self.density),
            "core_radius": uniform(self.core_radius, size, generator),
            "core_contrast": has_core * uniform(self.core_contrast, size, generator),
            "core_centre": offset * random_directions(count, generator).view(*size, 3),
            "edge_blur": uniform(self.edge_blur, size, generator),
            "form": individual,
        }


@recipe
class SceneRecipe:
    """Distribution of the scenes of a set.

    Attributes:
        kinds: Weight of each value of fields.Kind, lower case.
        particle: Recipe of the particle whose single hits are classified.
        many: Range of the number of particles of kind MANY, inclusive.
        gap: Range of the distance of neighbours over contact, uniform.
        size_spread: Log spread of the diameters within a cluster (0: identical particles, as in Han & Li 2017).
        contaminants: Weight of each of CONTAMINANTS.
        small, large: Ranges of the diameter of wrong-sized bodies over that of the particle, log-uniform.
        elongation: Range of the long over the short axis, log-uniform.
        blob: Range of the diameter of satellites and members of aggregates over that of the particle.
        blobs: Weight of each body of satellites and members of aggregates; all members of one pattern are of one.
        aggregate: Range of the number of members of an aggregate, inclusive.
        separation: Range of the distance of far pairs over the diameter, log-uniform.
    """

    kinds: Mapping[str, float]
    particle: ParticleRecipe = field(default_factory=ParticleRecipe)
    many: WholeRange = (5, 10)
    gap: Range = (1.0, 1.15)
    size_spread: float = 0.0
    contaminants: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CONTAMINANTS, 1.0))
    small: Range = (0.25, 0.65)
    large: Range = (1.5, 3.0)
    elongation: Range = (1.4, 4.0)
    blob: Range = (0.2, 0.6)
    blobs: Mapping[str, float] = field(default_factory=lambda: {"sphere": 1.0})
    aggregate: WholeRange = (4, 12)
    separation: Range = (1.5, 8.0)

    def __post_init__(self) -> None:
        _refuse_unknown("kinds", self.kinds, [kind.name.lower() for kind in Kind])
        _refuse_unknown("contaminants", self.contaminants, CONTAMINANTS)
        _refuse_unknown("blobs", self.blobs, BODIES)

    def draw(self, models: int, generator: torch.Generator) -> tuple[Particles, Tensor, Tensor]:
        """Draw ``models`` scenes.

        Returns:
            Particles with ``pattern`` the index of the scene, kind (models,) and particle count (models,), int64.
        """
        kind = choose(torch.tensor([float(self.kinds.get(k.name.lower(), 0.0)) for k in Kind]), models, generator)
        slots = max(self.many[1], self.aggregate[1] + 1, 4)
        values = self.particle.draw((models, slots), generator)
        _share_along_cluster(values, self.size_spread, generator)
        many = torch.randint(self.many[0], self.many[1] + 1, (models,), generator=generator)
        count = torch.where(kind == Kind.MANY, many, kind + 1)
        gap = uniform(self.gap, (models,), generator)
        centre = torch.zeros(models, slots, 3)
        odd = kind == Kind.CONTAMINANT
        names = choose(torch.tensor([float(self.contaminants.get(n, 0.0)) for n in CONTAMINANTS]), models, generator)
        for index, name in enumerate(CONTAMINANTS):
            rows = (odd & (names == index)).nonzero()[:, 0]
            if len(rows):
                self._contaminate(name, rows, values, count, centre, generator)
        present = torch.arange(slots) < count[:, None]
        apart = odd & (names == CONTAMINANTS.index("far_pair"))
        grown = touching(values[DIAMETER], present, gap, generator)
        centre = torch.where(apart[:, None, None], centre, grown)
        pattern = torch.arange(models)[:, None].expand(models, slots)[present]
        flat = {name: value[present] for name, value in values.items()}
        return Particles(pattern=pattern, centre=centre[present], **flat), kind, count

    def _contaminate(
        self,
        name: str,
        rows: Tensor,
        values: dict[str, Tensor],
        count: Tensor,
        centre: Tensor,
        generator: torch.Generator,
    ) -> None:
        """Replace the scenes ``rows`` by contaminants of one name, in place."""
        size, slots = (len(rows),), values[DIAMETER].shape[1]
        diameter = values[DIAMETER][rows, 0]
        count[rows] = 1
        if name in ("other_size", "droplet"):
            small, large = log_uniform(self.small, size, generator), log_uniform(self.large, size, generator)
            values[DIAMETER][rows, 0] = diameter * torch.where(chance(0.5, size, generator), small, large)
            if name == "droplet":
                values[BODY][rows, 0] = BODIES.index("sphere")
        elif name == "elongated":
            ratio = log_uniform(self.elongation, size, generator)
            flat = chance(0.3, size, generator)
            power = torch.where(flat[:, None], torch.tensor([-2.0, 1.0, 1.0]), torch.tensor([2.0, -1.0, -1.0])) / 3
            values["stretch"][rows, 0] = values["stretch"][rows, 0] * ratio[:, None] ** power
        elif name == "far_pair":
            count[rows] = 2
            centre[rows, :2] = far_apart(diameter * log_uniform(self.separation, size, generator), generator)
        else:
            low, high = (1, 3) if name == "satellite" else self.aggregate
            members = torch.randint(low, high + 1, size, generator=generator)
            first = 1 if name == "satellite" else 0
            blobs = diameter[:, None] * log_uniform(self.blob, (len(rows), slots - first), generator)
            values[DIAMETER][rows, first:] = blobs
            values[BODY][rows, first:] = self._blob_bodies(len(rows), generator)[:, None]
            values["core_contrast"][rows, first:] = 0.0
            count[rows] = members + first

    def _blob_bodies(self, count: int, generator: torch.Generator) -> Tensor:
        """Body of the blobs of each of ``count`` patterns, int64; draws only if there is a choice."""
        bodies = [BODIES.index(name) for name, weight in self.blobs.items() if weight > 0]
        if len(bodies) == 1:
            return torch.full((count,), bodies[0])
        weights = torch.tensor([float(weight) for weight in self.blobs.values() if weight > 0])
        return torch.tensor(bodies)[choose(weights, count, generator)]


def _share_along_cluster(values: dict[str, Tensor], size_spread: float, generator: torch.Generator) -> None:
    """Make the particles of a cluster copies of its first, except for orientation and a spread of sizes."""
    for name in (BODY, DIAMETER, "stretch", "core_radius", "core_contrast", "core_centre", "edge_blur", "form"):
        values[name] = values[name][:, :1].expand_as(values[name]).clone()
    spread = (size_spread * torch.randn(values[DIAMETER].shape, generator=generator)).exp()
    spread[:, 0] = 1.0
    values[DIAMETER] = values[DIAMETER] * spread


def _refuse_unknown(option: str, weights: Mapping[str, float], choices: list[str] | tuple[str, ...]) -> None:
    unknown = sorted(set(weights) - set(choices))
    if unknown:
        raise UserError(f"simulate.scene.{option}: unknown {unknown}; choose from {', '.join(choices)}")


def repeat_models(particles: Particles, patterns_per_model: int) -> Particles:
    """Scenes repeated for several patterns: scene m becomes patterns m * k to m * k + k - 1."""
    copies = torch.arange(patterns_per_model)
    pattern = (particles.pattern[:, None] * patterns_per_model + copies).flatten()
    index = torch.arange(len(particles.pattern)).repeat_interleave(patterns_per_model)
    return replace(particles.select(index), pattern=pattern)
