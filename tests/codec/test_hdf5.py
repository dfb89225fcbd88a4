"""Round trips of dataclasses, and files that are damaged, foreign or of another version."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.codec import LazyArray, load, save
from spi_lightning.codec.typed import UnknownAnnotationError
from spi_lightning.errors import UserError
from spi_lightning.notes import Level, Note

T = TypeVar("T")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
STRAY = "caf\udce9/\x1b[31m.h5"  # a byte of a file name that is not UTF-8


class Colour(Enum):
    RED = "r"
    BLUE = "b"


@dataclass(frozen=True)
class Inner:
    values: NDArray[Any]
    name: str = ""


@dataclass(frozen=True)
class Other:
    values: NDArray[Any]


@dataclass(frozen=True)
class Everything:
    whole: int
    real: float
    wave: complex
    flag: bool
    text: str
    nothing: None
    maybe: NDArray[np.float32] | None
    colour: Colour
    level: Level
    where: Path
    when: datetime
    day: date
    choice: Literal["a", "b"]
    notes: tuple[Note, ...]
    inner: Inner
    either: Inner | Other
    rows: list[Inner]
    pair: tuple[int, str]
    columns: dict[str, NDArray[Any]]
    by_number: dict[int, str]
    about: dict[str, Any]
    density: Tensor
    half: Tensor
    words: NDArray[np.str_]
    raw: bytes
    mask: NDArray[np.bool_]
    later: int = 7


@dataclass(frozen=True)
class Holder(Generic[T]):
    answer: T
    many: list[T] = field(default_factory=list)


def everything() -> Everything:
    random = np.random.default_rng(0)
    return Everything(
        whole=2**70,
        real=float("nan"),
        wave=1 - 2j,
        flag=True,
        text=STRAY,
        nothing=None,
        maybe=np.array([1, np.nan, np.inf], dtype=np.float32),
        colour=Colour.BLUE,
        level=Level.HINT,
        where=Path(STRAY),
        when=datetime(2026, 11, 30, 15, 4, tzinfo=UTC),
        day=date(2026, 11, 30),
        choice="b",
        notes=(Note.warning("doubt", "data"), Note.of(STRAY)),
        inner=Inner(np.array(3.5), "zero axes"),
        either=Other(np.arange(3)),
        rows=[Inner(np.empty((0, 4), dtype=np.uint8)), Inner(random.integers(0, 9, (2, 3)))],
        pair=(1, "x"),
        columns={"a/b": np.arange(4.0), ".": np.arange(2), "": np.arange(1), "é\udcff": np.arange(5)},
        by_number={3: "three", -1: "minus one"},
        about={
            "list": [1, None, "x", float("inf")],
            "array": np.arange(2),
            "tensor": torch.ones(2),
            "$odd": {"k": True},
        },
        density=torch.complex(torch.randn(2, 3, 4), torch.randn(2, 3, 4)).conj(),
        half=torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        words=np.array([["a", "bcd"], [STRAY, ""]]),
        raw=b"\x00\xff",
        mask=random.random((5, 9)) > 0.5,
    )


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal, of one type, NaN beside NaN."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and bool(torch.equal(a.resolve_conj(), b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(x, getattr(b, n)) for n, x in vars(a).items())
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


@pytest.mark.parametrize("compress", [True, False])
def test_every_kind_of_field_is_saved_and_loaded_unchanged(tmp_path: Path, compress: bool) -> None:
    value = everything()
    back = load(save(tmp_path / "new" / "all.h5", value, compress), Everything)
    assert same(value, back), [name for name, x in vars(value).items() if not same(x, getattr(back, name))]


def test_arrays_lie_under_the_path_of_their_field(tmp_path: Path) -> None:
    with h5py.File(save(tmp_path / "all.h5", everything())) as file:
        assert file["rows/1/values"].shape == (2, 3) and file["columns/a%2Fb"][3] == 3
        assert json.loads(bytes(file["plain"][()]))["fields"]["text"] == STRAY


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
@settings(max_examples=60, deadline=None)
def test_plain_data_of_any_shape_come_back(tmp_path_factory: pytest.TempPathFactory, plain: Any) -> None:
    path = tmp_path_factory.mktemp("plain") / "a.h5"
    assert same(load(save(path, Holder(plain)), Holder[Any]).answer, plain)


def test_a_type_argument_says_what_is_inside(tmp_path: Path) -> None:
    path = save(tmp_path / "a.h5", Holder(Inner(np.arange(3), "x"), [Inner(np.arange(2))]))
    back = load(path, Holder[Inner])
    assert back.answer.name == "x" and back.many[0].values.tolist() == [0, 1]
    with pytest.raises(UserError, match="'Inner' is not of type Other"):
        load(path, Holder[Other])
    with pytest.raises(UnknownAnnotationError, match="stands for any type"):
        load(path, Holder)


def test_an_older_file_takes_defaults_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    old = make_dataclass("Holder", [("answer", int)], frozen=True)
    new = make_dataclass("Holder", [("answer", int), ("more", int, 3)], frozen=True)
    assert load(save(tmp_path / "a.h5", old(1)), new) == new(1, 3)
    with pytest.raises(UserError, match="has no more; it is of another version"):
        load(save(tmp_path / "b.h5", new(1)), old)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs["spi_lightning_codec"] = 2
    with pytest.raises(UserError, match="version 2, this program reads up to 1"):
        load(tmp_path / "a.h5", old)


def test_a_flipped_byte_is_found_or_changes_nothing(tmp_path: Path) -> None:
    value, path = everything(), tmp_path / "a.h5"
    content = save(path, value).read_bytes()
    random, found = np.random.default_rng(1), 0
    for position in random.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            back = load(path, Everything)
        except UserError as error:
            found += 1
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            assert same(value, back)
    assert found > 30


@pytest.mark.parametrize("length", [0, 7, 100, 2000])
def test_a_cut_file_is_one_line(tmp_path: Path, length: int) -> None:
    path = save(tmp_path / "a.h5", everything())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"a\.h5: damaged, or no result of spi_lightning"):
        load(path, Everything)


def test_foreign_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        load(tmp_path / "gone.h5", Everything)
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["plain"], file.attrs["spi_lightning_codec"] = "text", "of variable length"
    with pytest.raises(UserError, match="has no mark of this format"):
        load(tmp_path / "foreign.h5", Everything)


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.arange(8))
    path = save(tmp_path / "a.h5", Inner(np.arange(3)))
    for link in (h5py.ExternalLink("other.h5", "/values"), h5py.SoftLink("/plain")):
        with h5py.File(path, "r+") as file:
            del file["values"]
            file["values"] = link
        with pytest.raises(UserError, match="values is not in it"):
            load(path, Inner)
    with h5py.File(path, "r+") as file:
        del file["values"]
        file.create_dataset("values", (3,), "i8", external=[(tmp_path / "secret.npy", 0, 24)])
    with pytest.raises(UserError, match="values is not a plain array"):
        load(path, Inner)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, lambda: 0, np.array([object()]), torch.eye(2).to_sparse(), Inner(np.array([None]))]
)
def test_what_cannot_be_stored_is_named_and_nothing_is_written(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"answer.* cannot be stored"):
        save(tmp_path / "a.h5", Holder(value))
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Stack:
    frames: LazyArray | NDArray[Any]


@dataclass(frozen=True)
class LazyStack:
    frames: LazyArray


def test_a_lazy_array_is_read_where_it_is_indexed_and_written_again(tmp_path: Path) -> None:
    frames = np.arange(60.0).reshape(5, 4, 3)
    path = save(tmp_path / "a.h5", Stack(frames))
    with h5py.File(path, "r+") as file:
        plain = bytes(file["plain"][()]).replace(b'"Stack"', b'"LazyStack"')
        del file["plain"]
        file["plain"] = np.frombuffer(plain, dtype=np.uint8)
    lazy = pickle.loads(pickle.dumps(load(path, LazyStack))).frames
    assert isinstance(lazy, LazyArray) and len(lazy) == 5 and lazy.ndim == 3
    np.testing.assert_array_equal(lazy[1:3, 2], frames[1:3, 2])
    np.testing.assert_array_equal(np.asarray(lazy), frames)
    again = load(save(tmp_path / "b.h5", LazyStack(lazy)), LazyStack).frames
    np.testing.assert_array_equal(again[()], frames)


def test_a_large_array_is_never_held_twice(tmp_path: Path) -> None:
    strided = np.random.default_rng(0).random((2, 64, 1 << 18), dtype=np.float32).transpose(1, 2, 0)  # 128 MiB
    tracemalloc.start()
    try:
        path = save(tmp_path / "a.h5", Inner(strided), compress=False)
        assert tracemalloc.get_traced_memory()[1] < 0.6 * strided.nbytes
        tracemalloc.reset_peak()
        back = load(path, Inner)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * strided.nbytes
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(back.values[7], strided[7])


def test_a_full_disk_leaves_nothing_and_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.h5", Inner(np.arange(3)))

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        with pytest.raises(UserError, match="disk is full"):
            save(path, Inner(np.arange(9)))
    assert [one.name for one in tmp_path.iterdir()] == ["a.h5"] and len(load(path, Inner).values) == 3
