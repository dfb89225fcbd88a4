"""Examples of the public names are executed; nine of ten names on the page of the reference have one."""

import doctest
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object

from spi_lightning.api.configured import make_part
from spi_lightning.apps.train import train
from spi_lightning.data import make_set
from tests.apps.small_runs import small_config

PAGE = Path(__file__).parents[2] / "docs/reference/python.md"
NAMES = re.findall(r"^::: (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
LEAST = 0.9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Working folder of the examples: hits.cxi, 24 patterns of 32 x 32 pixels, and runs/small, a training run."""
    made = tmp_path_factory.mktemp("examples")
    make_set(make_part("simulate", "hits", {"shape": [32, 32], "block_size": 24}), 24, 1, made / "hits.cxi")
    train(small_config(made, "trainer.max_epochs=1", name="runs/small"))
    before = Path.cwd()
    os.chdir(made)
    yield made
    os.chdir(before)


def examples_of(name: str) -> list[doctest.DocTest]:
    """Examples in the docstring of a name and in those of its methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [found for found in finder.find(get_object(name), name, globs={}) if found.examples]


@pytest.mark.parametrize("name", NAMES)
def test_examples_say_what_happens(name: str, folder: Path) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for example in examples_of(name):
        runner.run(example, out=report.append)
    assert not report, "".join(report)


def test_most_names_have_an_example() -> None:
    without: list[Any] = [name for name in NAMES if not examples_of(name)]
    assert len(without) <= (1 - LEAST) * len(NAMES), without


def test_every_public_name_is_on_the_page() -> None:
    import spi_lightning

    assert {name.rpartition(".")[2] for name in NAMES} >= set(spi_lightning.__all__)
