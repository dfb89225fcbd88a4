"""Patterns on the Ewald sphere against the sum over atoms; photons, binning, broken Friedel symmetry."""

import math

import pytest
import torch

from spi_lightning import fields
from spi_lightning.errors import UserError
from spi_lightning.physics.atoms import AtomBatch, Atoms, batch_atoms, form_factor
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices
from spi_lightning.simulate import EwaldTransform, Experiment, MacromoleculeDiffractionSimulator, Measurement
from tests.simulate.macromolecules.test_macromolecule import Collection, protein

SMALL = Experiment(shape=(64, 64), pixel_size=3.2e-3)  # the angles of 512 x 512 pixels of 400 um


def exact(atoms: AtomBatch, experiment: Experiment) -> torch.Tensor:
    """The sum over all atoms of one structure at every pixel, float64."""
    q = experiment.q().flatten(0, 1)
    phase = torch.exp(-2j * math.pi * (q @ atoms.position.double().T))
    total = torch.zeros(len(q), dtype=torch.complex128)
    for element in atoms.atomic_number.unique().tolist():
        total += phase[:, atoms.atomic_number == element].sum(1) * form_factor(element, q.norm(dim=1))
    return total.view(experiment.shape)


@pytest.mark.parametrize("size", [1.5e-9, 4e-9])
def test_the_transform_is_the_exact_sum_over_atoms(size: float) -> None:
    structures = [protein(0, 200, size), protein(1, 150, size)]
    turn = rotation_matrices(random_quaternions(2, torch.Generator().manual_seed(1)))
    atoms = batch_atoms(structures).turned(turn)
    found = EwaldTransform(SMALL)(atoms, max(structure.extent for structure in structures))
    high = SMALL.q().norm(dim=-1) > 0.15e10
    for number in (0, 1):
        expected = exact(atoms.select(torch.tensor([number])), SMALL)
        error = (found[number] - expected).abs()
        assert float(error.norm() / expected.abs().norm()) < 5e-4
        assert float(error[high].norm() / expected[high].abs().norm()) < 2e-3


def test_a_single_atom_has_its_form_factor_and_no_phase() -> None:
    atom = batch_atoms([Atoms("one", torch.zeros(1, 3), torch.tensor([8]))])
    found = EwaldTransform(SMALL)(atom, 1e-9)[0]
    expected = form_factor(8, SMALL.q().norm(dim=-1)).float()
    torch.testing.assert_close(found.real, expected, rtol=4e-3, atol=2e-3)
    torch.testing.assert_close(found.imag, torch.zeros_like(expected), rtol=0, atol=2e-2)


def friedel_error(experiment: Experiment) -> float:
    atoms = batch_atoms([protein(2, 200, 4e-9)])
    intensity = EwaldTransform(experiment)(atoms, protein(2, 200, 4e-9).extent)[0].abs().square()[1:, 1:]
    return float((intensity - intensity.flip(0, 1)).norm() / intensity.norm())


def test_curvature_breaks_friedel_symmetry_and_small_angles_keep_it() -> None:
    assert friedel_error(SMALL) > 0.05
    assert friedel_error(Experiment(shape=(64, 64), pixel_size=3.2e-4, distance=0.3)) < 4e-3


def simulator(**options: object) -> MacromoleculeDiffractionSimulator:
    structures = Collection([protein(seed, 150, 1.2e-9) for seed in range(3)])
    experiment = Experiment(shape=(128, 128), pixel_size=1.6e-3)
    settings = {"experiment": experiment, "block_size": 4, **options}
    return MacromoleculeDiffractionSimulator(structures, **settings)  # type: ignore[arg-type]


def test_a_block_counts_the_photons_of_the_pulse() -> None:
    block = simulator()(0, 3)
    counts, expected = block[fields.INTENSITY], block[fields.PHOTON_COUNT]
    assert counts.shape == (4, 32, 32) and block[fields.DENSITY].shape == (4, 32, 32)
    assert torch.equal(counts, counts.round())
    assert ((counts.sum((1, 2)) - expected).abs() < 6 * expected.sqrt()).all()
    torch.testing.assert_close(block[fields.FLUENCE], torch.full((4,), 1.2417e26), rtol=1e-3, atol=0)


def test_brightness_follows_r_e_squared_fluence_and_solid_angle() -> None:
    """At the beam the binned pixel holds r_e^2 x fluence x 16 solid angles x Z^2, but for the fall within it."""
    sim = simulator(photons=False)
    block = sim(0, 3)
    electrons = torch.tensor([float(sim.structures[int(i)].electrons) for i in block[fields.STRUCTURE]])
    expected = (2.8179403e-15) ** 2 * 1.2417e26 * 16 * (1.6e-3 / 0.3) ** 2 * electrons**2
    ratio = block[fields.INTENSITY][:, 16, 16] / expected
    assert (ratio > 0.4).all() and (ratio < 1).all()
    fine = simulator(photons=False, bin=1, crop=32)(0, 3)
    ratio = fine[fields.INTENSITY][:, 16, 16] * 16 / expected
    torch.testing.assert_close(ratio, torch.ones(4), rtol=0.02, atol=0)


def test_binning_sums_and_cropping_keeps_the_middle() -> None:
    binned, cropped = simulator(photons=False)(0, 3), simulator(photons=False, bin=2, crop=64)(0, 3)
    assert cropped[fields.INTENSITY].shape == (4, 32, 32)
    assert cropped[fields.PIXEL_SIZE][0] * 2 == binned[fields.PIXEL_SIZE][0]
    with pytest.raises(UserError, match="do not fit a detector"):
        simulator(bin=3)


def test_the_density_is_that_of_the_pattern_at_small_angles() -> None:
    """The middle of the pattern is the transform of the density, canonical twin and all, where the sphere is flat."""
    experiment = Experiment(shape=(64, 64), pixel_size=1e-4, distance=0.3)
    structures = Collection([protein(seed, 300, 2e-8) for seed in range(2)])
    sim = MacromoleculeDiffractionSimulator(
        structures, experiment, bin=1, block_size=2, photons=False, resolution=1e-10
    )
    block = sim(0, 1)
    amplitude = torch.fft.fftshift(torch.fft.fft2(block[fields.DENSITY]).abs(), dim=(1, 2))
    measured = block[fields.INTENSITY].sqrt()
    middle = slice(24, 41)
    a, b = (image[:, middle, middle] / image[:, 32:33, 32:33] for image in (amplitude, measured))
    assert float((a - b).norm() / b.norm()) < 0.04


def test_masks_and_speckle_brightness_work_here_too() -> None:
    block = simulator(measurement=Measurement(photons_per_speckle=(100, 100), beamstop=(3, 3)))(0, 3)
    assert not block[fields.MASK][:, 16, 16].any()
    assert not torch.allclose(block[fields.FLUENCE], torch.full((4,), 1.2417e26))


def test_the_same_block_again() -> None:
    first, again = simulator()(2, 5), simulator()(2, 5)
    assert all(torch.equal(first[name], again[name]) for name in first)
