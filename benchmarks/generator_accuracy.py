"""How right the generators are: fast against closed forms, its curvature error, literal against both.

Run: python -m benchmarks.generator_accuracy [--quick]. PR772's detector: 128 x 128 pixels of 0.6 mm at 0.581 m, 7.9 A.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import pi

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.record import write_result
from spi_lightning.physics.constants import wavelength_from_energy
from spi_lightning.physics.detector import radius_in_pixels
from spi_lightning.physics.ewald import ewald_depth, scattering_vectors, small_angle_frequencies
from spi_lightning.physics.rotations.orientations import multiply_quaternions, random_quaternions, rotation_matrices
from spi_lightning.simulate.literal import electrons_squared
from spi_lightning.simulate.particles.polyhedra import polyhedron
from spi_lightning.simulate.particles.voxels import voxel_model, voxelise
from spi_lightning.simulate.projection import BODIES
from spi_lightning.simulate.scattering import Geometry, Particles, amplitudes
from tests.simulate.form_factors import polyhedron_form_factor, sphere_form_factor

SEED, SHAPE, DENSITY = 0, (128, 128), 4.3e29
DETECTOR = {"photon_energy": 1569.4, "distance": 0.581, "pixel_size": 6e-4}
POLYHEDRA = ("octahedron", "dodecahedron", "icosahedron", "truncated_icosahedron", "cube")
REFERENCE_SAMPLES = 192
Rows = list[dict[str, float | str]]


def geometry(count: int) -> Geometry:
    """PR772's detector for every pattern."""
    one = torch.ones(count)
    energy, distance, pixel = (one * value for value in DETECTOR.values())
    return Geometry(energy, distance, pixel, torch.full((count, 2), 63.5))


def particles_of(body: str, diameter: float, orientation: Tensor) -> Particles:
    """One uniform particle per pattern in the given orientations."""
    count, zeros = len(orientation), torch.zeros(len(orientation))
    return Particles(
        pattern=torch.arange(count),
        body=torch.full((count,), BODIES.index(body)),
        diameter=zeros + diameter,
        stretch=torch.ones(count, 3),
        orientation=orientation,
        centre=torch.zeros(count, 3),
        density=zeros + DENSITY,
        core_radius=zeros,
        core_contrast=zeros,
        core_centre=torch.zeros(count, 3),
        edge_blur=zeros,
        form=torch.zeros(count, dtype=torch.int64),
    )


def scattering(count: int, where: str) -> Tensor:
    """Scattering vectors (B, H, W, 3) of the ``pixels``, of the ``plane`` q_z = 0 or of the ``sphere`` above it.

    Plane and sphere share the transverse frequencies of the small-angle limit, which the fast generator needs; the
    pixels' own are shorter by half the squared scattering angle.
    """
    g = geometry(count)
    detector = (SHAPE, g.pixel_size, g.distance, g.wavelength, g.beam_centre)
    if where == "pixels":
        return scattering_vectors(*detector)
    rows, columns = small_angle_frequencies(*detector)
    depth = ewald_depth(rows, columns, g.wavelength)
    q_y, q_x = rows[:, :, None].expand_as(depth), columns[:, None, :].expand_as(depth)
    return torch.stack([depth if where == "sphere" else torch.zeros_like(depth), q_y, q_x], dim=-1)


def exact(particles: Particles, where: str) -> Tensor:
    """Closed-form intensities at ``scattering(..., where)``, (B, H, W) float64; electrons^2."""
    q = scattering(len(particles.pattern), where).double()
    in_body = q.flatten(1, 2) @ rotation_matrices(particles.orientation.double())
    body, diameter = BODIES[int(particles.body[0])], float(particles.diameter[0])
    if body == "sphere":
        transform = sphere_form_factor(in_body, diameter / 2)
    else:
        transform = polyhedron_form_factor(in_body, polyhedron(body).vertices * diameter).abs()
    return (DENSITY * transform).square().view(q.shape[:-1])


def fast(particles: Particles, samples: int, order: int) -> Tensor:
    """Intensities of the fast generator, (B, H, W) float64; electrons^2."""
    return amplitudes(particles, geometry(len(particles.pattern)), SHAPE, samples, order).abs().double() ** 2


def l1(found: Tensor, expected: Tensor) -> float:
    """Sum of |found - expected| over the sum of expected."""
    return float((found - expected).abs().sum() / expected.sum())


def l2(found: Tensor, expected: Tensor) -> float:
    """Norm of found - expected over the norm of expected."""
    return float((found - expected).norm() / expected.norm())


def small_angle_rows(bodies: Iterable[str], patterns: int) -> Rows:
    """Fast generator on the flat Ewald sphere against closed forms at q_z = 0: relative L2 of the intensity."""
    rows: Rows = []
    for body in bodies:
        turn = random_quaternions(patterns, torch.Generator().manual_seed(SEED))
        for diameter in (60e-9, 80e-9):
            particles = particles_of(body, diameter, turn)
            expected = exact(particles, "plane")
            errors = {f"{n} samples": l2(fast(particles, n, 0), expected) for n in (32, 48, 64, 96, 128)}
            rows.append({"body": body, "diameter_nm": diameter * 1e9, **errors})
    return rows


def curvature_rows(bodies: Iterable[str], patterns: int) -> Rows:
    """Fast generator against closed forms on the curved sphere: relative L1 left by each order of the expansion.

    Over the whole detector, and over the pixels beyond 48 from the beam, where the sphere is furthest from its plane.
    Last column: what the small-angle frequencies cost there.
    """
    rows: Rows = []
    edge = radius_in_pixels(SHAPE, torch.full((1, 2), 63.5))[0] > 48
    for body in bodies:
        turn = random_quaternions(patterns, torch.Generator().manual_seed(SEED))
        for diameter in (60e-9, 80e-9, 160e-9, 240e-9):
            particles = particles_of(body, diameter, turn)
            expected = exact(particles, "sphere")
            row: dict[str, float | str] = {"body": body, "diameter_nm": diameter * 1e9}
            row["edge_phase_rad"] = curvature_phase(diameter)
            for order in (0, 1, 2):
                found = fast(particles, REFERENCE_SAMPLES, order)
                row[f"order {order}"] = l1(found, expected)
                row[f"order {order}, edge"] = l1(found[:, edge], expected[:, edge])
            row["tangent, edge"] = l1(expected[:, edge], exact(particles, "pixels")[:, edge])
            rows.append(row)
    return rows


def curvature_phase(diameter: float) -> float:
    """Largest phase inside a particle that a flat Ewald sphere neglects: pi |q_z| D at the edge of the array; rad."""
    wavelength = wavelength_from_energy(DETECTOR["photon_energy"])
    q: float = max(SHAPE) / 2 * DETECTOR["pixel_size"] / (DETECTOR["distance"] * wavelength)
    return pi * diameter * q**2 * wavelength / 2


def literal_rows(bodies: Iterable[str], paddings: Sequence[int], models: int, closed: bool) -> Rows:
    """Literal route against the fast one of order 2, or against closed forms: relative L1, mean over turned models."""
    rows: Rows = []
    patterns = 6
    for body in bodies:
        for radius in (10.0, 20.0, 30.0):
            generator = torch.Generator().manual_seed(SEED)
            errors: dict[int, list[float]] = {padding: [] for padding in paddings}
            for _ in range(models):
                model, turn = random_quaternions(1, generator), random_quaternions(patterns, generator)
                scene = particles_of(body, 60e-9, model)
                turned = replace(particles_of(body, 60e-9, turn), orientation=multiply_quaternions(turn, model))
                expected = exact(turned, "pixels") if closed else fast(turned, REFERENCE_SAMPLES, 2)
                placed, voxel_size = voxel_model(scene, radius, 128)
                density = voxelise(placed, 128) * DENSITY
                for padding in paddings:
                    found = electrons_squared(density, voxel_size, turn, geometry(patterns), SHAPE, padding)
                    errors[padding].append(l1(found.double(), expected))
            means = {f"{padding}^3": sum(values) / len(values) for padding, values in errors.items()}
            rows.append({"body": body, "radius_voxels": radius, **means})
    return rows


def show(title: str, rows: Rows) -> None:
    """Print one table; errors in per cent."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(_cell(name, value) for name, value in row.items()))
    Console(width=140).print(table)


def _cell(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if name in ("diameter_nm", "radius_voxels"):
        return f"{value:.0f}"
    return f"{value:.2f}" if name.endswith("_rad") else f"{100 * value:.3f} %"


def main() -> None:
    """Print the tables and write benchmarks/results/generator_accuracy.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer orientations and bodies, no 512^3")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    polyhedra = ("icosahedron", "cube") if quick else POLYHEDRA
    patterns, models, paddings = (4, 1, (128, 256)) if quick else (16, 1, (256, 384, 512))
    tables = {
        "fast, small angle, against closed forms: L2": small_angle_rows(("sphere", *polyhedra), patterns),
        "fast, on the Ewald sphere, against closed forms: L1": curvature_rows(
            ("sphere", *polyhedra, "tetrahedron"), patterns
        ),
        "literal against fast (order 2): L1": literal_rows(polyhedra, paddings, models, closed=False),
        "literal against closed forms: L1": literal_rows(("sphere", "cube"), paddings, models, closed=True),
    }
    for title, rows in tables.items():
        show(title, rows)
    if not quick:
        print(
            write_result("generator_accuracy", {"seed": SEED, "detector": DETECTOR, "shape": SHAPE, "tables": tables})
        )


if __name__ == "__main__":
    main()
