"""The runner and the cache, with a toy method and a toy question."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.evaluation import Cache, Question, ask, ask_whole
from spi_lightning.fingerprint import Irrelevant
from spi_lightning.notes import Level, Note, NoteWarning
from spi_lightning.progress import Listener
from spi_lightning.results.answered import Answered, Cost

FORK = multiprocessing.get_context("fork")
TOGETHER = FORK.Barrier(2)
CALLS: list[int] = []


@dataclass(frozen=True)
class Sum:
    layout: ClassVar[dict[str, str]] = {"values": "finite real N"}
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Numbers(Question[float, Any]):
    """Some numbers to be multiplied, at once or one by one."""

    answer_type: ClassVar[type[Sum]] = Sum
    values: tuple[float, ...] = (1.0, 2.0, 3.0)

    def parts(self, method: object) -> Iterator[float]:
        yield from self.values

    def join(self, parts: Sequence[float], answers: Sequence[Sum]) -> float:
        assert len(parts) == len(answers)
        return float(sum(answer.values.sum() for answer in answers))


@dataclass(frozen=True)
class Times:
    """Multiplies, with something to say of every part."""

    factor: float
    name: Irrelevant[str] = "times"
    weights: Path | None = None

    def answer(self, part: float, listener: Listener) -> Sum:
        CALLS.append(int(part))
        listener.note(Note.hint("larger factors are faster"))
        listener.note(Note.of(f"{part:g} is a number"))
        if part == 2:
            warnings.warn("two is even", stacklevel=1)
            warnings.warn(NoteWarning(Note.warning("doubt", "fit")), stacklevel=1)
        return Sum(np.full(3, self.factor * part))


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def lines(answered: Answered[object]) -> list[str]:
    return [str(note) for note in answered.notes]


def test_parts_are_answered_in_order_and_joined() -> None:
    assert [(part, one.answer.values[0]) for part, one in ask(Times(2), Numbers())] == [(1, 2), (2, 4), (3, 6)]
    whole = ask_whole(Times(2), Numbers())
    assert whole.answer == 36 and not whole.kept and whole.cost.seconds > 0


def test_notes_and_warnings_bear_the_name_of_the_method_and_count_once() -> None:
    displayed: list[Note] = []
    whole = ask_whole(Times(2), Numbers(), show=displayed.append)
    assert lines(whole) == [
        "HINT: times: larger factors are faster",
        "times: 1 is a number",
        "times: 2 is a number",
        "WARNING: times: two is even",
        "WARNING: times: fit: doubt",
        "times: 3 is a number",
    ]
    assert tuple(displayed) == whole.notes


def test_a_kept_answer_brings_its_notes_and_cost_under_the_present_name(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    made = ask_whole(Times(2), Numbers(), cache)
    kept = ask_whole(Times(2, name="again"), Numbers(), cache)
    assert CALLS == [1, 2, 3] and kept.kept and not made.kept
    assert kept.answer == made.answer and kept.cost == made.cost
    assert lines(kept) == [line.replace("times", "again") for line in lines(made)]


def test_what_decides_is_answered_anew_and_nothing_else(tmp_path: Path) -> None:
    cache, weights = Cache(tmp_path / "cache"), tmp_path / "weights.bin"
    weights.write_bytes(b"1")
    for method in (Times(2), Times(3), Times(2, weights=weights)):
        ask_whole(method, Numbers((1.0,)), cache)
    assert len(CALLS) == 3
    ask_whole(Times(2), Numbers((1.0, 5.0)), cache)
    assert CALLS[3:] == [5]
    weights.write_bytes(b"2")
    ask_whole(Times(2, weights=weights), Numbers((1.0,)), cache)
    assert CALLS[4:] == [1]


def test_a_damaged_kept_answer_is_noted_and_made_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    ask_whole(Times(2), Numbers((1.0,)), cache)
    (file,) = tmp_path.rglob("*.h5")
    content = bytearray(file.read_bytes())
    for position in range(0, len(content), 64):
        content[position] ^= 0xFF
    file.write_bytes(content)
    again = ask_whole(Times(2), Numbers((1.0,)), cache)
    assert CALLS == [1, 1] and again.answer == 6 and not again.kept
    assert again.notes[0].level is Level.WARNING and "made anew" in again.notes[0].text
    repaired = ask_whole(Times(2), Numbers((1.0,)), cache)
    assert CALLS == [1, 1] and repaired.kept and not any(note.level is Level.WARNING for note in repaired.notes)


def test_an_answer_that_is_refused_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="times gives NaN"):
        ask_whole(Times(float("nan")), Numbers(), Cache(tmp_path))
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Stopped(Times):
    at: Irrelevant[float] = 3.0

    def answer(self, part: float, listener: Listener) -> Sum:
        if part == self.at:
            raise KeyboardInterrupt
        return super().answer(part, listener)


def test_what_was_answered_before_an_interruption_is_kept_and_nothing_half(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ask_whole(Stopped(2), Numbers(), cache)
    assert len(list(tmp_path.rglob("*.h5"))) == 2 and not list(tmp_path.rglob(".*"))
    assert ask_whole(Stopped(2, at=0.0), Numbers(), cache).answer == 36 and CALLS == [1, 2, 3]


def killed_while_writing(folder: Path) -> None:
    """Ask in a process that is killed as soon as an answer's values are on the disk."""
    import spi_lightning.codec.hdf5 as codec

    store = codec._store

    def killed(file: Any, name: str, *rest: Any) -> None:
        store(file, name, *rest)
        if name == "answer/values":
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    codec._store = killed
    ask_whole(Times(2), Numbers((1.0,)), Cache(folder))


def test_a_kill_while_an_answer_is_written_leaves_no_half_one(tmp_path: Path) -> None:
    run = FORK.Process(target=killed_while_writing, args=(tmp_path,))
    run.start()
    run.join()
    assert run.exitcode == -signal.SIGKILL and not list(tmp_path.rglob("*.h5"))
    assert ask_whole(Times(2), Numbers((1.0,)), Cache(tmp_path)).answer == 6
    assert len([one for one in tmp_path.rglob("*") if one.is_file()]) == 1


def answered_together(folder: Path) -> list[Any]:
    """Twenty answers, asked for when the other process is ready too."""
    TOGETHER.wait(60)
    return [ask_whole(Times(2), Numbers((float(n),)), Cache(folder)).answer for n in range(20)]


def test_processes_share_a_folder(tmp_path: Path) -> None:
    with FORK.Pool(2) as pool:
        answers = pool.map(answered_together, [tmp_path] * 2, chunksize=1)
    assert answers == [[6.0 * n for n in range(20)]] * 2
    assert len([one for one in tmp_path.rglob("*") if one.is_file()]) == 20


@dataclass(frozen=True)
class Forgetful(Times):
    state: object = field(default_factory=object)


def test_a_method_with_a_field_of_no_fingerprint_is_refused(tmp_path: Path) -> None:
    for cache in (Cache(tmp_path), Cache()):
        with pytest.raises(
            UserError, match=r"^times: TypeError in Forgetful: .*state: builtins\.object has no fingerprint"
        ):
            ask_whole(Forgetful(2), Numbers(), cache)


def test_costs_add_up() -> None:
    total = Cost.total([Cost(1.0, 5.0), Cost(2.0, None, 7.0), Cost(0.5, 3.0)])
    assert total == Cost(3.5, 5.0, 7.0) and Cost.total([]) == Cost(0, None, None)
