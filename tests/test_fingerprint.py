"""Fingerprints see every field and every byte of a file, and are the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from omegaconf import OmegaConf
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from spi_lightning import fingerprint as module
from spi_lightning.baselines.vectors import PixelVectors
from spi_lightning.fingerprint import Irrelevant, fingerprint, require_fingerprint
from spi_lightning.networks.tiny_cnn import TinyCNN


class Metric(Enum):
    EUCLIDEAN = 1
    CORRELATION = 2


@dataclass(frozen=True)
class Rule:
    threshold: float = 0.5
    bands: tuple[float, ...] = ()


@dataclass(frozen=True)
class Toy:
    whole: int
    real: float
    flag: bool
    text: str
    maybe: int | None
    metric: Metric
    rule: Rule
    numbers: list[float]
    options: dict[str, Any]
    array: NDArray[Any]
    tensor: Tensor
    estimator: Any
    vectors: Any
    network: nn.Module
    transform: Callable[..., Any]
    weights: Path
    when: date
    name: Irrelevant[str] = "toy"


def toy(weights: Path) -> Toy:
    torch.manual_seed(0)
    return Toy(
        1,
        0.5,
        True,
        "cosine",
        None,
        Metric.EUCLIDEAN,
        Rule(),
        [1.0, 2.0],
        {"a": 1, "b": {"c": [None]}},
        np.arange(6.0).reshape(2, 3),
        torch.arange(4),
        LogisticRegression(C=2.0),
        PixelVectors(),
        TinyCNN(),
        partial(np.percentile, q=50),
        weights,
        date(2026, 11, 30),
    )


FLOATS = st.floats(allow_nan=False)
PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | FLOATS | st.text(), st.lists, max_leaves=4)
CHANGED: dict[str, st.SearchStrategy[Any]] = {
    "whole": st.integers(),
    "real": st.floats(),
    "flag": st.booleans(),
    "text": st.text(),
    "maybe": st.none() | st.integers(),
    "metric": st.sampled_from(Metric),
    "rule": st.builds(Rule, FLOATS, st.lists(FLOATS, max_size=3).map(tuple)),
    "numbers": st.lists(FLOATS, max_size=4),
    "options": st.dictionaries(st.text(max_size=3), PLAIN, max_size=3),
    "array": st.builds(
        lambda values, kind, shape: np.asarray(values, dtype=kind).reshape(shape),
        st.lists(st.integers(0, 9), min_size=6, max_size=6),
        st.sampled_from(["f8", "f4", "i8", "u1"]),
        st.sampled_from([(2, 3), (3, 2), (6,), (1, 6)]),
    ),
    "tensor": st.lists(st.integers(0, 5), max_size=5).map(torch.tensor),
    "estimator": st.builds(LogisticRegression, C=st.floats(0.1, 9), tol=st.sampled_from([1e-4, 1e-3]))
    | st.builds(GaussianMixture, n_components=st.integers(1, 9)),
    "vectors": st.builds(PixelVectors, bin=st.integers(1, 9), crop=st.none() | st.integers(1, 9)),
    "network": st.integers(0, 99).map(lambda seed: seeded(seed)),
    "transform": st.builds(partial, st.sampled_from([np.percentile, np.quantile]), q=st.integers(0, 100)),
    "weights": st.binary(max_size=40),
    "when": st.dates(),
}


def seeded(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return TinyCNN()


def alike(a: Any, b: Any) -> bool:
    """Whether two values of a field mean the same, of one type."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, nn.Module):
        return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    if isinstance(a, partial):
        return (a.func, a.args, a.keywords) == (b.func, b.args, b.keywords)
    if hasattr(a, "get_params"):
        return bool(a.get_params() == b.get_params())
    if isinstance(a, PixelVectors):
        return vars(a) == vars(b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, Rule):
        return alike(a.threshold, b.threshold) and alike(a.bands, b.bands)
    return bool(a == b or (a != a and b != b)) and str(a) == str(b)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "weights.bin"
    path.write_bytes(b"0123456789")
    return path


def test_every_field_is_changed_below() -> None:
    assert set(CHANGED) == {one.name for one in fields(Toy)} - {"name"}


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_any_field_counts(data: st.DataObject, weights: Path) -> None:
    one = toy(weights)
    name = data.draw(st.sampled_from(sorted(CHANGED)))
    value = data.draw(CHANGED[name])
    if name == "weights":
        changed = weights.with_name("other.bin")
        changed.write_bytes(value)
        same = value == weights.read_bytes()
        value = changed
    else:
        same = alike(getattr(one, name), value)
    other = replace(one, **{name: value})
    assert (fingerprint(one) == fingerprint(other)) is same


@given(position=st.integers(0, 9), bit=st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_any_bit_of_a_file_counts_at_once(position: int, bit: int, weights: Path) -> None:
    before, content = fingerprint(toy(weights)), weights.read_bytes()
    damaged = bytearray(content)
    damaged[position] ^= 1 << bit
    weights.write_bytes(damaged)
    try:
        assert fingerprint(toy(weights)) != before
    finally:
        weights.write_bytes(content)
    assert fingerprint(toy(weights)) == before


def test_names_of_things_do_not_count(weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.dat"
    copy.write_bytes(weights.read_bytes())
    assert fingerprint(replace(toy(weights), name="other", weights=copy)) == fingerprint(toy(weights))
    network = TinyCNN()
    assert fingerprint(network.train()) == fingerprint(network.eval())
    assert fingerprint(OmegaConf.create({"a": [1]})) == fingerprint({"a": [1]})


def test_equal_methods_are_equal_in_every_process(weights: Path) -> None:
    script = f"from {__name__} import Path, fingerprint, toy\nprint(fingerprint(toy(Path({str(weights)!r}))))"
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(toy(weights))


def test_files_behind_an_hdf5_file_count(tmp_path: Path) -> None:
    for name in ("linked.h5", "mapped.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["values"] = np.arange(4)
    (tmp_path / "raw.bin").write_bytes(bytes(8))
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource("mapped.h5", "values", (4,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("linked.h5", "/values")
        file.create_virtual_dataset("mapped", layout)
        file.create_dataset("raw", (1,), "i8", external=[("raw.bin", 0, 8)])
    found = {fingerprint(tmp_path / "a.h5")}
    for name in ("linked.h5", "mapped.h5"):
        with h5py.File(tmp_path / name, "r+") as file:
            file["values"][0] = 7
        found.add(fingerprint(tmp_path / "a.h5"))
    (tmp_path / "raw.bin").write_bytes(bytes(7) + b"1")
    found.add(fingerprint(tmp_path / "a.h5"))
    assert len(found) == 4


def test_folders_count_by_their_files_and_large_files_by_their_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.txt").write_text("1")
    before = fingerprint(tmp_path / "a")
    (tmp_path / "a" / "b" / "c.txt").write_text("2")
    assert fingerprint(tmp_path / "a") != before
    (tmp_path / "a" / "b" / "c.txt").write_text("1")
    assert fingerprint(tmp_path / "a") == before
    monkeypatch.setattr(module, "_READ_WHOLE", 0)
    large = tmp_path / "large.bin"
    large.write_bytes(b"12")
    stamped = fingerprint(large)
    assert fingerprint(large) == stamped
    large.write_bytes(b"123")
    assert fingerprint(large) != stamped


def test_a_word_that_is_a_file_counts_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = fingerprint("labels.txt")
    (tmp_path / "labels.txt").write_text("1")
    named = fingerprint("labels.txt")
    (tmp_path / "labels.txt").write_text("0")
    assert len({before, named, fingerprint("labels.txt")}) == 3


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (object(), "estimator: builtins.object"),
        (lambda photons: photons, "estimator: .*<lambda>"),
        ([{"a": {1, 2}}], r"estimator\[0\].a: builtins.set"),
        (np.array([object()]), "estimator: an array of objects"),
        (torch.eye(2).to_sparse(), "estimator: a tensor of layout"),
        (LogisticRegression().fit([[0], [1]], [0, 1]), "estimator: LogisticRegression is fitted"),
        (sys.stdout, "estimator: .* has no fingerprint"),
    ],
)
def test_what_has_no_fingerprint_is_named_by_its_field(weights: Path, value: Any, field: str) -> None:
    method = replace(toy(weights), estimator=value)
    for ask in (fingerprint, require_fingerprint):
        with pytest.raises(TypeError, match=field):
            ask(method)


def test_making_a_method_reads_no_file(tmp_path: Path) -> None:
    require_fingerprint(toy(tmp_path / "gone.bin"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        ([1], 1),
        ({"list": [1]}, [1]),
        ({1: "a"}, {"1": "a"}),
        (None, "None"),
        (Metric.EUCLIDEAN, 1),
        (b"a", "a"),
        (np.float32(0.1), 0.1),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (LogisticRegression, LogisticRegression()),
        (np.random.default_rng(0), np.random.default_rng(1)),
    ],
)
def test_things_that_look_alike_differ(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)
