""""""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from spi_lightning.errors import UserError
from spi_lightning.phasing.constraints import CONSTRAINTS
from spi_lightning.phasing.recipe import Recipe, read_recipe
from spi_lightning.phasing.recipe_parts import Group, Shrinkwrap, Step, step
from spi_lightning.phasing.updates import UPDATES

LINE = "50*ER + 20*(100*HIO(0.9) + 10*ER) + shrinkwrap(1.0,0.1)/10"


def test_a_line_means_what_it_says() -> None:
    recipe = read_recipe(LINE)
    done = [action.do for action in recipe.actions()]
    assert recipe.iterations == len(done) == 50 + 20 * 110
    assert done[:51] == ["ER"] * 50 + ["HIO"]
    assert done[50:160] == ["HIO"] * 100 + ["ER"] * 10
    action = next(action for action in recipe.actions() if action.do == "HIO")
    assert action.options == {"beta": 0.9}
    assert action.shrinkwraps == (Shrinkwrap(1.0, 0.1, every=10),)
    assert recipe.moves_support


def test_a_shrinkwrap_acts_within_its_brackets() -> None:
    actions = list(read_recipe("2*ER + 2*(HIO + shrinkwrap(2, 0.2)) + 3*RAAR").actions())
    assert [len(action.shrinkwraps) for action in actions] == [0, 0, 1, 1, 0, 0, 0]


def test_periods_count_from_the_first_update() -> None:
    wrap = read_recipe("200*ER + shrinkwrap(1, 0.1, after=100, until=130)/10").whole.shrinkwraps[0]
    assert [k for k in range(1, 201) if wrap.acts(k)] == [100, 110, 120, 130]


def test_both_readings_of_five_er_every_fifth_hio() -> None:
    copy = read_recipe("2*(5*HIO + refine(5*ER)) + shrinkwrap(1,0.15)/10")
    assert copy.iterations == read_recipe("2*(5*HIO + 5*ER)").iterations == 20
    assert [a.do for a in copy.actions()] == (["HIO"] * 5 + ["copy"] + ["ER"] * 5 + ["restore"]) * 2


def test_yaml_says_the_same() -> None:
    entries = [
        {"repeat": 50, "update": "ER"},
        {"repeat": 20, "sequence": [{"repeat": 100, "update": "HIO", "beta": 0.9}, {"repeat": 10, "update": "ER"}]},
        {"shrinkwrap": {"sigma": 1, "threshold": 0.1, "every": 10}},
    ]
    assert read_recipe(entries) == read_recipe(LINE)
    assert read_recipe(["ER", {"refine": ["RAAR"]}]) == read_recipe("ER + refine(RAAR)")


steps = st.builds(
    lambda name, part, repeat: step(
        name, {k: low + part * (high - low) for k, (low, high) in UPDATES[name].bounds.items()}, repeat
    ),
    st.sampled_from(list(UPDATES)),
    st.floats(0, 1),
    st.integers(1, 999),
)
wraps = st.builds(
    Shrinkwrap,
    sigma=st.floats(0, 9),
    threshold=st.floats(0.01, 0.99),
    area=st.floats(0, 0.9),
    decay=st.floats(0.1, 1),
    after=st.integers(0, 99),
    every=st.integers(1, 50),
)
groups = st.recursive(
    st.lists(steps, min_size=1, max_size=3),
    lambda inner: st.builds(
        lambda parts, wrap, repeat, refine: [Group(tuple(parts), tuple(wrap), repeat, refine)],
        inner,
        st.lists(wraps, max_size=1),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(groups, st.lists(wraps, max_size=2))
def test_recipes_survive_text_and_yaml(parts: list[Step | Group], wrap: list[Shrinkwrap]) -> None:
    recipe = Recipe(Group(tuple(parts), tuple(wrap)))
    assert str(read_recipe(str(recipe))) == str(recipe)
    assert read_recipe(recipe.as_list()) == recipe
    assert read_recipe(recipe) is recipe


@pytest.mark.parametrize(
    ("text", "character", "says"),
    [
        ("50*ER + 20*(100*HIP(0.9) + 10*ER)", 17, "did you mean HIO"),
        ("50*ER + + 3*ER", 9, "expected an update"),
        ("50*ER 3*HIO", 7, "expected + or the end"),
        ("5 ER", 3, "expected '*'"),
        ("5*ER(0.9)", 6, "takes no options"),
        ("5*HIO(beta=3)", 3, "outside 0 to 2"),
        ("5*HIO(bta=0.9)", 7, "no option 'bta'"),
        ("5*HIO(0.9", 10, "not closed"),
        ("5*(ER + HIO", 12, "')' is missing"),
        ("5*ER) + 3*ER", 5, "expected + or the end"),
        ("0*ER", 1, "at least 1"),
        ("2.5*ER", 1, "whole number"),
        ("5*ER + shrinkwrap(1.0,2)/10", 8, "threshold=2"),
        ("5*ER + shrinkwrap(1.0,0.1)/x", 28, "whole number"),
        ("shrinkwrap(1.0)/10", 1, "no update"),
        ("", 1, "expected an update"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, character: int, says: str) -> None:
    with pytest.raises(UserError, match=f"character {character}: ") as caught:
        read_recipe(text)
    assert says in str(caught.value)
    assert f"{text[: character - 1]}>>>{text[character - 1 :]}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([{"update": "HIP"}], r"recipe\[0\]: unknown update 'HIP'"),
        (
            [{"update": "ER"}, {"sequence": [{"update": "HIO", "beta": "high"}]}],
            r"recipe\[1\].sequence\[0\]: beta='high'",
        ),
        ([{"update": "ER", "repeat": 0}], "repeat=0"),
        ([{"repeat": 5}], "one of update, sequence"),
        ([{"shrinkwrap": {"sigma": 1, "level": 2}}], "no option 'level'"),
        ({"update": "ER"}, "expected a list"),
        ([], "expected a list"),
    ],
)
def test_a_mistake_in_yaml_names_the_entry(entries: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_recipe(entries)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "iterations"), [("shrinkwrap", 2150), ("bellisario", 20000), ("wu_iterative", 2000), ("cohere_S0054", 620)]
)
def test_the_recipes_of_the_papers_read_and_count(name: str, iterations: int) -> None:
    cfg = OmegaConf.load(Path(__file__).parents[2] / "conf" / "phasing" / f"{name}.yaml")
    assert read_recipe(cfg.recipe).iterations == iterations
    assert cfg.constraint in CONSTRAINTS
