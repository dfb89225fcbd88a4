"""Damaged files of every format are read or refused in one line that names them."""

from pathlib import Path

import pytest

from tests.fuzz.engine import Seed, fuzz
from tests.fuzz.mutations import mutate
from tests.fuzz.seeds import seeds

QUICK, LONG = 4, 60


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seed]:
    return {seed.name: seed for seed in seeds(tmp_path_factory.mktemp("seeds"))}


def test_sound_files_are_read(sound: dict[str, Seed]) -> None:
    for seed in sound.values():
        seed.read(seed.path)


def faults(sound: dict[str, Seed], numbers: range) -> list[str]:
    found = {name: fuzz(seed, numbers).faults for name, seed in sound.items()}
    return [f"{name} {number}: {fault}" for name, of in found.items() for fault, (number, _) in of.items()]


def test_a_few_damaged_files_of_every_format(sound: dict[str, Seed]) -> None:
    assert not faults(sound, range(QUICK))


@pytest.mark.slow
def test_many_damaged_files_of_every_format(sound: dict[str, Seed]) -> None:
    assert not faults(sound, range(QUICK, LONG))


def test_the_engine_tells_faults_apart(tmp_path: Path) -> None:
    path = tmp_path / "seed.bin"
    path.write_bytes(bytes(100))

    def broken(path: Path) -> None:
        content = path.read_bytes()
        raise (KeyError if len(content) < 100 else ZeroDivisionError)(len(content))

    outcome = fuzz(Seed("broken", path, broken), range(40))
    assert outcome.counts["traceback"] == 40 and len(outcome.faults) == 2
    assert path.read_bytes() == bytes(100)


def test_the_same_number_gives_the_same_damage() -> None:
    content = bytes(range(256)) * 8
    forms = {number: mutate(content, number) for number in range(50)}
    assert forms == {number: mutate(content, number) for number in range(50)}
    assert sum(form != content for form in forms.values()) > 40
