"""Networks of every task on arrays and files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning import UserError, evaluate, load, simulate_patterns
from spi_lightning.io import PatternFile
from spi_lightning.tasks import registry

SaveRun = Callable[..., Path]
SUPPORTS = (
    "experiment=bellisario_support",
    "network.size=32",
    "network.widths=[4,4]",
    "network.latent=8",
)
HEALING = ("experiment=bellisario_healing",)
VOLUMES = ("experiment=wu_supervised", "network.width=4", "network.levels=2")


@pytest.fixture(scope="module")
def patterns() -> PatternFile:
    return simulate_patterns("hits", 5, seed=1, shape=[32, 32], block_size=8)


@pytest.fixture
def file(patterns: PatternFile, tmp_path: Path) -> Path:
    """The same photons in a file of the user."""
    np.save(tmp_path / "mine.npy", patterns.read(range(5)))
    return tmp_path / "mine.npy"


def test_hits_are_predicted_of_arrays_files_and_open_files(
    save_run: SaveRun, patterns: PatternFile, file: Path
) -> None:
    network = load(save_run("experiment=shi_tiny_cnn", "network.size=32"), bin=1, crop=32)
    photons = patterns.read(range(5))
    first = network.predict(photons)
    assert first.shape == (5,)
    assert first.dtype == np.float32
    assert np.array_equal(first, network.predict(torch.from_numpy(photons)))
    assert np.array_equal(first, network.predict(file))
    assert np.array_equal(first[2:3], network.predict(photons[2]))
    assert network.predict(patterns).shape == (5,)
    assert network.answer(photons, patterns.read_mask([0])[0]).features.shape[0] == 5
    assert "TinyCNN" in repr(network)


def test_supports_are_predicted_of_arrays_and_files(save_run: SaveRun, patterns: PatternFile, file: Path) -> None:
    run = save_run(*SUPPORTS)
    first = load(run).predict(patterns.read(range(5)))
    assert (first.shape, first.dtype) == ((5, 32, 32), bool)
    assert np.array_equal(first, load(run, batch_size=2).predict(file))
    with pytest.raises(UserError, match="use predict"):
        load(run).answer(file)


def test_patterns_are_healed_of_arrays_and_files(save_run: SaveRun, patterns: PatternFile, file: Path) -> None:
    network = load(save_run(*HEALING))
    first = network.predict(patterns.read(range(5)))
    assert (first.shape, first.dtype) == ((5, 32, 32), np.float32)
    assert np.array_equal(first, network.predict(file))


def test_densities_are_predicted_of_arrays_and_files(save_run: SaveRun, tmp_path: Path) -> None:
    network = load(save_run(*VOLUMES))
    grid = np.indices((16, 16, 16)) - 8
    photons = np.round(1e4 * np.exp(-(grid**2).sum(0) / 8))
    first = network.predict(photons)
    assert (first.ndim, first.dtype) == (4, np.complex64)
    np.save(tmp_path / "scan.npy", photons)
    assert network.predict(tmp_path / "scan.npy").shape == first.shape
    masked = network.predict(np.stack([photons, photons]), grid[0] < 5)
    assert len(masked) == 2
    assert not np.array_equal(masked[0], first[0])


def test_a_run_is_a_method_among_others(save_run: SaveRun, patterns: PatternFile) -> None:
    run = load(save_run("experiment=shi_tiny_cnn", "network.size=32", name="mine"), bin=1)
    result = evaluate(patterns, [run, "photon_count"])
    assert [answer.name for answer in result.answers] == ["runs/mine", "photon_count"]


@pytest.mark.parametrize(
    ("words", "shape", "message"),
    [
        (("experiment=shi_tiny_cnn", "network.size=32"), (2, 3, 4, 5), "shape"),
        (VOLUMES, (8, 8), "3D patterns"),
    ],
)
def test_patterns_of_another_shape_are_one_line(
    save_run: SaveRun, words: tuple[str, ...], shape: tuple[int, ...], message: str
) -> None:
    network = load(save_run(*words))
    with pytest.raises(UserError, match=message) as caught:
        network.predict(np.ones(shape))
    assert "\n" not in str(caught.value)


def test_there_is_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing"):
        load(tmp_path / "nothing")


def test_a_network_takes_bin_and_crop_where_they_mean_something(save_run: SaveRun, patterns: PatternFile) -> None:
    twice = np.kron(patterns.read([0]), np.ones((1, 2, 2)))
    network = load(save_run("experiment=shi_tiny_cnn", "network.size=32"), bin=2)
    assert network.predict(twice).shape == (1,)
    with pytest.raises(UserError, match="bin=2"):
        load(save_run(*HEALING, name="healing"), bin=2).predict(twice)


def test_densities_of_methods_and_networks_are_compared(save_run: SaveRun) -> None:
    grid = np.indices((16, 16, 16)) - 8
    photons = np.round(1e4 * np.exp(-(grid**2).sum(0) / 8))
    result = evaluate(photons, ["hio_er", save_run(*VOLUMES)], starts=1, masks=1)
    assert result.names == ["hio_er", "runs/run"]
    assert "chi-square of hio_er" in repr(result)
    assert result.plot()._repr_png_()
    with pytest.raises(UserError, match="start is unknown"):
        evaluate(photons, "hio_er", start=1)
    with pytest.raises(UserError, match="treshold is unknown; did you mean threshold"):
        evaluate(photons[0], "photon_count", treshold=0.6)
    with pytest.raises(UserError, match="starts is for methods of 3D phasing"):
        evaluate(photons[0], "photon_count", starts=1)


def test_trust_is_of_one_call(save_run: SaveRun, patterns: PatternFile) -> None:
    run = save_run("experiment=shi_tiny_cnn", "network.size=32")
    own = load(run, bin=1, crop=32, trust="mylab")
    assert registry._trusted == {"mylab"}
    other = load(run, bin=1, crop=32)
    assert registry._trusted == set()
    own.predict(patterns)
    assert registry._trusted == {"mylab"}  # of the checkpoint that answers
    evaluate(patterns, [other], trust="theirs")
    assert registry._trusted == set()


def test_patterns_of_another_size_than_those_of_the_training_are_named(
    save_run: SaveRun, patterns: PatternFile
) -> None:
    run = save_run("experiment=han_resnet10", "preprocess.bin=1")
    kept = torch.load(run / "checkpoints/best.ckpt", weights_only=True)
    kept["config"]["simulate"] = {"shape": [48, 48]}
    torch.save(kept, run / "checkpoints/best.ckpt")
    with pytest.warns(UserWarning, match="patterns of 32 x 32 pixels, the network was trained on 48 x 48"):
        load(run, bin=1).predict(patterns)
