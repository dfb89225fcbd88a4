"""Projected maps: single atoms, electrons, rotations, twins, sizes; against the exact sum over atoms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.physics.atoms import AtomBatch, Atoms, batch_atoms, form_factor, resolution_width
from spi_lightning.physics.fourier import fourier
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.physics.twin import centre_of_mass, is_canonical
from spi_lightning.simulate import MacromoleculeSimulator, Measurement, Projection


@dataclass
class Collection:
    """Structures in memory, as the simulators want them."""

    atoms: list[Atoms] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.atoms)

    def __getitem__(self, index: int) -> Atoms:
        return self.atoms[index]

    @property
    def names(self) -> Sequence[str]:
        return [atoms.name for atoms in self.atoms]

    @property
    def numbers(self) -> Sequence[int]:
        return range(len(self))

    def of_part(self, part: str) -> "Collection":
        return self


def protein(seed: int, count: int = 120, size: float = 1e-9) -> Atoms:
    """A cloud of C, N, O and S, longer along x."""
    generator = torch.Generator().manual_seed(seed)
    position = (torch.rand(count, 3, generator=generator) - 0.5) * size * torch.tensor([1.0, 1.2, 2.0])
    number = torch.tensor([6, 7, 8, 16])[torch.randint(0, 4, (count,), generator=generator)]
    return Atoms(f"p{seed}", position, number)


def exact_map(atoms: AtomBatch, projection: Projection, folds: int = 5) -> torch.Tensor:
    """The map of one structure from the sum over all atoms at every frequency up to ``folds`` / (2 pixel)."""
    n = projection.size * folds
    q = torch.fft.fftfreq(n, projection.pixel_size / folds, dtype=torch.float64)
    y, x = (torch.exp(-2j * math.pi * q[:, None] * atoms.position[:, axis].double()) for axis in (1, 2))
    length, total = torch.hypot(q[:, None], q), torch.zeros(n, n, dtype=torch.complex128)
    for element in atoms.atomic_number.unique().tolist():
        of = atoms.atomic_number == element
        total += (y[:, of] @ x[:, of].T) * form_factor(element, length)
    blur = torch.exp(-2 * (math.pi * resolution_width(projection.resolution) * q) ** 2)
    blur = blur * torch.sinc(projection.pixel_size * q)
    fine = torch.fft.fftshift(torch.fft.ifft2(total * blur[:, None] * blur).real) * folds**2
    start = (n // 2) % folds
    return fine[start::folds, start::folds]


@pytest.mark.parametrize(("size", "pixel_size"), [(64, 2.33e-10), (32, 4.66e-10)])
def test_the_map_is_the_exact_sum_over_atoms(size: int, pixel_size: float) -> None:
    projection = Projection(size, pixel_size)
    turned = batch_atoms([protein(0)]).turned(
        rotation_matrices(random_quaternions(1, torch.Generator().manual_seed(1)))
    )
    density, expected = projection(turned)[0].double(), exact_map(turned, projection)
    assert float((density - expected).norm() / expected.norm()) < 5e-4
    amplitude, exact = (fourier(image, 2).abs() for image in (density, expected))
    assert float((amplitude - exact).norm() / exact.norm()) < 5e-4


@pytest.mark.parametrize("element", [6, 16])
def test_a_single_atom_has_its_analytic_form_factor(element: int) -> None:
    projection = Projection(64, 1e-10, resolution=3.5e-10)
    atom = Atoms("one", torch.zeros(1, 3), torch.tensor([element]))
    spectrum = fourier(projection(batch_atoms([atom]))[0], 2).real * 64
    q = (torch.arange(64) - 32) / (64 * 1e-10)
    expected = form_factor(element, q.abs()) * torch.exp(-2 * (math.pi * resolution_width(3.5e-10) * q) ** 2)
    expected = expected * torch.sinc(1e-10 * q)
    torch.testing.assert_close(spectrum[32, 16:49], expected[16:49], rtol=2e-3, atol=2e-3 * element)


def test_every_electron_is_in_the_map_and_its_centre_is_the_origin() -> None:
    structures = [protein(seed, 50 + 30 * seed) for seed in range(4)]
    density = Projection(64, 2.33e-10)(batch_atoms(structures))
    electrons = torch.tensor([float(atoms.electrons) for atoms in structures])
    torch.testing.assert_close(density.sum((1, 2)), electrons, rtol=1e-3, atol=0)
    assert (density >= 0).all() and float(centre_of_mass(density, 2).abs().max()) < 1e-2


def test_a_batch_gives_what_single_structures_give() -> None:
    structures, projection = [protein(seed, 40 + 50 * seed) for seed in range(3)], Projection(32, 4.66e-10)
    batch = projection(batch_atoms(structures))
    single = torch.cat([projection(batch_atoms([atoms])) for atoms in structures])
    torch.testing.assert_close(batch, single, rtol=1e-5, atol=1e-4)


def test_a_quarter_turn_around_the_beam_turns_the_map() -> None:
    atoms, projection = batch_atoms([protein(3)]), Projection(33, 4.66e-10)
    quarter = torch.tensor([[[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]])  # y from x, x from -y
    turned = projection(atoms.turned(quarter))[0]
    torch.testing.assert_close(turned, projection(atoms)[0].rot90(-1), rtol=1e-3, atol=1e-2)


def simulator(**options: object) -> MacromoleculeSimulator:
    structures = Collection([protein(seed) for seed in range(5)])
    return MacromoleculeSimulator(structures, Projection(32, 4.66e-10), block_size=8, **options)  # type: ignore[arg-type]


def test_a_block_obeys_parseval_and_is_canonical() -> None:
    block = simulator()(0, 7)
    density, intensity = block[fields.DENSITY], block[fields.INTENSITY]
    torch.testing.assert_close(intensity.sum((1, 2)), density.square().sum((1, 2)), rtol=1e-4, atol=0)
    torch.testing.assert_close(intensity, fourier(density, 2).abs().square(), rtol=1e-4, atol=1e-5)
    assert is_canonical(density, 2).all() and block[fields.MASK].all()
    inverted = intensity.flip(1, 2).roll((1, 1), (1, 2))
    torch.testing.assert_close(intensity, inverted, rtol=1e-3, atol=1e-4)  # Friedel


def test_the_stored_orientation_gives_the_stored_density() -> None:
    sim = simulator()
    block = sim(1, 7)
    chosen = [sim.structures[int(i)] for i in block[fields.STRUCTURE]]
    density = sim.projection(batch_atoms(chosen).turned(rotation_matrices(block[fields.ORIENTATION])))
    density = density / density.amax((1, 2), keepdim=True)
    torch.testing.assert_close(density, block[fields.DENSITY], rtol=1e-3, atol=2e-3)


def test_blocks_are_fixed_by_seed_and_number_and_deal_structures_evenly() -> None:
    first, again, other = (simulator()(block, 7) for block in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first[fields.INTENSITY], other[fields.INTENSITY])
    displayed = torch.cat([simulator()(block, 7)[fields.STRUCTURE] for block in range(5)])
    assert torch.bincount(displayed).tolist() == [8] * 5
    assert all(len(set(displayed[i : i + 5].tolist())) == 5 for i in range(0, 40, 5))


def test_one_pattern_per_structure_is_a_limit() -> None:
    assert simulator(repeat=False).most_patterns == 5 and simulator().most_patterns is None


def test_too_large_a_structure_is_an_error_or_left_out(caplog: pytest.LogCaptureFixture) -> None:
    large = Atoms("huge", torch.tensor([[0.0, 0, 0], [0, 0, 9e-9]]), torch.tensor([6, 6]))
    structures, projection = Collection([protein(0), large]), Projection(32, 4.66e-10)
    with pytest.raises(UserError, match=r"structure huge: 9\.0 nm give an oversampling of 1\.66, below 2"):
        MacromoleculeSimulator(structures, projection, oversized="error")
    skipping = MacromoleculeSimulator(structures, projection, block_size=4, oversized="skip")
    MacromoleculeSimulator(structures, projection, block_size=4, oversized="skip")
    assert caplog.text.count("1 of 2 structures are larger than 7.5 nm and left out: huge") == 1
    assert skipping(0, 0)[fields.STRUCTURE].tolist() == [0] * 4
    with pytest.raises(UserError, match="none of the 1 structures"):
        MacromoleculeSimulator(Collection([large]), projection, oversized="skip")
    with pytest.raises(UserError, match="oversized=crop"):
        MacromoleculeSimulator(structures, projection, oversized="crop")


def test_a_measurement_counts_photons_and_hides_pixels() -> None:
    measurement = Measurement(photons_per_speckle=(50, 50), background=(0.1, 0.1), beamstop=(2, 2), gap=(2, 2))
    block = simulator(measurement=measurement)(0, 7)
    mask, counts = block[fields.MASK], block[fields.INTENSITY]
    assert torch.equal(counts, counts.round()) and (counts[~mask] == 0).all()
    assert not mask[:, 16, 14:19][:, 1:4].any() and not mask[:, 15:17].any() and mask[:, 17, 25].all()
    expected = block[fields.PHOTON_COUNT] + 0.1 * mask.sum((1, 2))
    assert ((counts.sum((1, 2)) - expected).abs() < 6 * expected.sqrt()).all()


def test_the_first_speckle_holds_the_requested_photons() -> None:
    """Brightness only scales: ten times the photons per speckle, ten times the photons."""
    faint, bright = (
        simulator(measurement=Measurement(photons_per_speckle=(photons, photons)))(0, 7)[fields.PHOTON_COUNT]
        for photons in (100, 1000)
    )
    torch.testing.assert_close(bright, 10 * faint)
    assert (faint > 100).all() and (faint < 1e5).all()


def test_a_background_needs_photons() -> None:
    with pytest.raises(UserError, match=r"measurement\.background counts photons"):
        simulator(measurement=Measurement(background=(1, 1)))(0, 0)
    with pytest.raises(UserError, match="must be above 0"):
        Measurement(photons_per_speckle=(0, 10))
