"""Methods by their names: each under a name of its own, of the kind that is asked for, with its options."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.utils import instantiate

from spi_lightning.errors import UserError
from spi_lightning.methods import CheckpointMethod, GraphCut, IterativeVolume, MethodLibrary, PhotonCount
from spi_lightning.methods.choice import free_name

CONF = Path(__file__).parents[2] / "conf"


def library(kind: str, **settings: object) -> MethodLibrary:
    return MethodLibrary(kind, [CONF / "method"], instantiate, lambda experiment, overrides: None, settings, "cpu")


def test_every_method_is_of_one_kind() -> None:
    names = [name for kind in ("hits", "supports", "volumes") for name in library(kind).names()]
    assert sorted(names) == sorted(path.stem for path in (CONF / "method").glob("*.yaml"))


def test_names_and_runs_give_methods_under_names_that_differ(make_run: Callable[[str], Path]) -> None:
    run = make_run("first")

    def of_run(checkpoint: Path) -> list[tuple[str, Callable[..., object]]]:
        return [(end, lambda name: CheckpointMethod(name, checkpoint, instantiate)) for end in ("", ", again")]

    made = list(library("hits").choose(["photon_count", "photon_count", str(run)], of_run))
    assert [type(one) for one in made] == [PhotonCount, PhotonCount, CheckpointMethod, CheckpointMethod]
    names = [one.name for one in made]
    assert names[:2] == ["photon_count", "photon_count (2)"] and names[3] == f"{names[2]}, again"


def test_options_are_laid_over_the_settings_of_a_method() -> None:
    (made,) = library("hits", graph_cut={"neighbours": 8}).choose(["graph_cut"], lambda checkpoint: [])
    assert isinstance(made, GraphCut) and made.neighbours == 8


def test_a_recipe_is_known_by_its_name() -> None:
    (made,) = library("volumes", hio_er={"recipe": "wu_iterative"}).choose(["hio_er"], lambda checkpoint: [])
    assert isinstance(made, IterativeVolume) and "wu_iterative" not in str(made.recipe)


@pytest.mark.parametrize(
    ("entries", "settings", "message"),
    [
        ([], {}, "nothing to evaluate: add checkpoint=RUN_OR_CKPT"),
        (["photon_count"], {"graph_cut": {}}, "settings.graph_cut: method=[photon_count] does not hold graph_cut"),
        (["graph_cut"], {"graph_cut": {"colour": 1}}, "settings.graph_cut.colour is unknown; graph_cut has: "),
        (["hio_er"], {}, "method=hio_er answers volumes, and this data asks for hits; methods of hits: "),
        (["photn_count"], {}, "method=photn_count is neither a run nor a method; did you mean photon_count"),
        (["runs/nothing"], {}, "runs/nothing"),
    ],
)
def test_a_mistake_is_one_line(entries: list[str], settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        list(library("hits", **settings).choose(entries, lambda checkpoint: []))


def test_a_name_that_is_taken_gets_a_number() -> None:
    used: set[str] = set()
    assert [free_name("a", used) for _ in range(3)] == ["a", "a (2)", "a (3)"]
