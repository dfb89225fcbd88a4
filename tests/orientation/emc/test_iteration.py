"""One iteration of EMC against sums written out: likelihood, merging, fluence, symmetry, and known orientations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import poisson
from torch import Tensor

from spi_lightning.orientation.emc.interpolation import Interpolation
from spi_lightning.orientation.emc.iteration import EmcProblem, EmcState, first_state, iterate, orientation_posterior
from spi_lightning.orientation.emc.photons import photon_matrix
from spi_lightning.physics.rotations.orientations import random_quaternions, rotation_matrices, slice_intensity
from spi_lightning.physics.rotations.sampling import rotation_samples

from .conftest import Experiment, blobs

CPU = torch.device("cpu")


def problem_of(experiment: Experiment, counts: Tensor, blocks: int = 1, group: str = "none") -> EmcProblem:
    """The problem of patterns (N, H, W), in double precision."""
    used = torch.from_numpy((experiment.detector.classes == 0).ravel())
    q = torch.from_numpy(experiment.detector.q[..., ::-1].copy()).reshape(-1, 3)[used]
    correction = torch.from_numpy(experiment.detector.correction / experiment.detector.correction.mean()).ravel()[used]
    flat = counts.flatten(1)[:, used]
    return EmcProblem(
        tuple(photon_matrix(each, flat.shape[1], CPU, torch.float64) for each in flat.chunk(blocks)),
        Interpolation(q, len(experiment.intensity)),
        correction,
        flat.shape[1],
        experiment.samples if group == "none" else rotation_samples(3, group),
    )


def poisson_counts(expected: Tensor, seed: int = 0) -> Tensor:
    return torch.poisson(expected, generator=torch.Generator().manual_seed(seed))


def test_slices_are_trilinear(experiment: Experiment) -> None:
    quaternion = random_quaternions(300, torch.Generator().manual_seed(2)).double()
    q = torch.from_numpy(experiment.detector.q[..., ::-1].copy())
    expected = slice_intensity(experiment.intensity, quaternion, q).flatten(1)
    there = Interpolation(q.reshape(-1, 3), len(experiment.intensity))
    torch.testing.assert_close(there.expand(experiment.intensity, rotation_matrices(quaternion)), expected)
    torch.testing.assert_close(there.expand(experiment.intensity, rotation_matrices(quaternion), 7), expected[:, :7])


def test_merging_is_the_adjoint_of_slicing(experiment: Experiment) -> None:
    """Sum of slice times values is the sum of intensity times merged values, for any intensity and values."""
    problem = problem_of(experiment, torch.ones(2, 19, 19))
    rotation = rotation_matrices(random_quaternions(50, torch.Generator().manual_seed(3)).double())
    values = torch.rand(50, problem.orienting, generator=torch.Generator().manual_seed(4)).double()
    operator = problem.interpolation
    sums = (operator.zeros(), operator.zeros())
    operator.compress(sums, rotation, values, torch.ones_like(values))
    left = (operator.expand(experiment.intensity, rotation) * values).sum()
    torch.testing.assert_close((operator.folded(sums[0]) * experiment.intensity).sum(), left)
    assert float(operator.folded(sums[1]).sum()) == pytest.approx(values.numel())


@pytest.mark.parametrize("faint", [False, True])
def test_the_likelihood_is_that_of_poisson_counts(experiment: Experiment, faint: bool) -> None:
    """Against scipy, with dense and with sparse counts."""
    truth = experiment.slices(experiment.samples.quaternion[experiment.chosen[:20]])
    counts = poisson_counts(truth * (2e-3 if faint else 1.0))
    problem = problem_of(experiment, counts)
    assert problem.blocks[0].merged.layout == (torch.sparse_csr if faint else torch.strided)
    scale = torch.linspace(0.5, 1.5, 20).double() * (2e-3 if faint else 1.0)
    beta = torch.full((20,), 0.3).double()
    found = orientation_posterior(problem, problem.blocks[0], experiment.intensity, scale, beta)
    slices = problem.slices(experiment.intensity, rotation_matrices(experiment.samples.quaternion)).numpy()
    used = (experiment.detector.classes == 0).ravel()
    flat = counts.flatten(1)[:, torch.from_numpy(used)].numpy()
    log = np.stack([poisson.logpmf(flat[d], slices * float(scale[d])).sum(axis=1) for d in range(20)])
    weighted = experiment.samples.weight.numpy() * np.exp(0.3 * (log - log.max(axis=1, keepdims=True)))
    p = weighted / weighted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probability, p, atol=2e-5)  # the negligible ones are left out
    np.testing.assert_allclose(found.likelihood, (p * log).sum(axis=1), rtol=1e-3)
    single = photon_matrix(torch.from_numpy(flat), problem.orienting, CPU)
    close = orientation_posterior(
        replace(problem, correction=problem.correction.float(), interpolation=single_precision(problem)),
        single, experiment.intensity.float(), scale, beta,
    )  # fmt: skip
    np.testing.assert_allclose(close.probability, found.probability, atol=1e-3)


def single_precision(problem: EmcProblem) -> Interpolation:
    return Interpolation(problem.interpolation.q.T.float(), problem.interpolation.size)


def test_known_orientations_are_recovered_and_the_intensity_stays(experiment: Experiment) -> None:
    """From the true intensity, patterns without noise find their orientations; merged, they give it back."""
    counts = experiment.slices(experiment.samples.quaternion[experiment.chosen])
    problem = replace(problem_of(experiment, counts), scaling=False)
    state = EmcState(experiment.intensity, torch.ones(150).double())
    step = iterate(problem, state, torch.ones(150).double(), first=True)
    assert (step.orientation == experiment.chosen).double().mean() > 0.97
    inside = step.weight > 20
    assert inside.sum() > 1000
    ratio = (step.state.intensity / experiment.intensity)[inside]
    assert abs(float(ratio.median()) - 1) < 0.03 and float((ratio - 1).abs().quantile(0.9)) < 0.2
    size = len(experiment.intensity)
    assert (
        step.weight[size // 2, size // 2, size // 2] == 0 and step.state.intensity[size // 2, size // 2, size // 2] == 0
    )


def test_fluences_are_found_and_their_product_with_the_intensity_is_all_that_counts(experiment: Experiment) -> None:
    true = torch.linspace(0.3, 1.7, 150).double()
    counts = experiment.slices(experiment.samples.quaternion[experiment.chosen]) * true[:, None, None]
    problem = problem_of(experiment, counts)
    one = torch.ones(150).double()
    state = first_state(problem, experiment.intensity)
    step = iterate(problem, state, one, first=True)
    assert float(step.state.scale.mean()) == pytest.approx(1)
    settled = EmcState(experiment.intensity, true)
    for number in range(3):
        settled = iterate(problem, settled, one, first=number == 0).state
    error = settled.scale / (true / true.mean()) - 1
    assert float(error.abs().quantile(0.9)) < 0.05
    brighter = iterate(problem, first_state(problem, 7 * experiment.intensity), one, first=True)
    torch.testing.assert_close(brighter.state.intensity, step.state.intensity)
    torch.testing.assert_close(brighter.likelihood, step.likelihood)


def test_blocks_of_patterns_change_nothing(experiment: Experiment) -> None:
    counts = poisson_counts(experiment.slices(experiment.samples.quaternion[experiment.chosen]))
    steps = []
    for blocks in (1, 4):
        problem = problem_of(experiment, counts, blocks)
        state = first_state(problem, experiment.intensity)
        steps.append(iterate(problem, state, torch.full((150,), 0.2).double(), first=True))
    torch.testing.assert_close(steps[0].state.intensity, steps[1].state.intensity)
    torch.testing.assert_close(steps[0].likelihood, steps[1].likelihood)
    assert torch.equal(steps[0].candidate[:, 0], steps[1].candidate[:, 0])


def test_the_likelihood_rises_at_beta_1(experiment: Experiment) -> None:
    counts = poisson_counts(experiment.slices(random_quaternions(150, torch.Generator().manual_seed(6)).double()))
    problem = problem_of(experiment, counts)
    state, likelihood = first_state(problem, 1 + torch.rand(experiment.intensity.shape).double()), []
    for number in range(6):
        step = iterate(problem, state, torch.ones(150).double(), first=number == 0)
        state = step.state
        likelihood.append(float(step.likelihood.mean()))
    assert np.all(np.diff(likelihood[1:]) > -0.02 * abs(likelihood[1] - likelihood[-1]))
    assert likelihood[-1] > likelihood[1]


def test_an_intensity_has_the_symmetry_that_is_imposed(experiment: Experiment) -> None:
    counts = experiment.slices(random_quaternions(60, torch.Generator().manual_seed(7)).double())
    problem = problem_of(experiment, counts, group="octahedral")
    state = first_state(problem, 1 + torch.rand(experiment.intensity.shape).double())
    merged = iterate(problem, state, torch.full((60,), 0.1).double(), first=True).state.intensity
    for turned in (merged.rot90(1, (0, 1)), merged.rot90(1, (1, 2)), merged.flip(0, 1, 2)):
        torch.testing.assert_close(turned, merged)
    plain = replace(problem_of(experiment, counts), friedel=False)
    merged = iterate(plain, first_state(plain, blobs_at(experiment)), torch.ones(60).double(), True).state.intensity
    assert not torch.allclose(merged, merged.flip(0, 1, 2))


def blobs_at(experiment: Experiment) -> Tensor:
    axis = torch.arange(len(experiment.intensity)).double() - len(experiment.intensity) // 2
    return blobs(torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1))
