"""Names of files reach the settings as they are, with and without Hydra's quotes."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import OmegaConf

from spi_lightning.apps.configuration.plain_words import as_typed, command_line, quote_names, quoted
from spi_lightning.apps.configuration.resolved import escaped, keep_names
from tests.apps.small_runs import CONF

NAMES = ("rosalind's.h5", "a,b=c.h5", "run[red].h5", "{x}.h5", "x\ny.h5", "b\udcff.h5", "a\\'b.h5", "100%.h5", 'q".h5')


@pytest.mark.parametrize("name", [*NAMES, "ends with\\", "null", "3", "  blank "])
def test_quoted_text_is_read_as_it_is(name: str) -> None:
    assert OverridesParser.create().parse_override(f"data.path={quoted(name)}").value() == name


@pytest.mark.parametrize("name", [*NAMES, "${x}.h5"])
def test_names_of_files_need_no_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    words = quote_names([f"data.path={name}", f"data.path={tmp_path / name}"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("evaluate", overrides=words[:1]).data.path == name
        assert compose("evaluate", overrides=words[1:]).data.path == str(tmp_path / name)


def test_a_name_in_quotes_may_hold_what_looks_like_an_interpolation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("${oc.env:HOME}.h5").touch()
    words = quote_names(["data.path='${oc.env:HOME}.h5'"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("evaluate", overrides=words).data.path == "${oc.env:HOME}.h5"
    for stays in ("data.path='${oc.env:HOME}/absent.h5'", r"data.path='\${oc.env:HOME}.h5'"):
        assert quote_names([stays]) == [stays]


def test_other_words_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "3"):  # which the lists below would match as globs
        Path(name).touch()
    words = [
        "method=[a,b]", "data.size=[32,", "-m", "seed=1,2", "+a.b='x y'", "~data", "data.path=a.h5,b.h5", "x", "a={b:1}"
    ]  # fmt: skip
    assert quote_names(words) == words
    assert quote_names(["path=out/rosalind's.cxi"]) == [r"path='out/rosalind\'s.cxi'"]


def test_a_name_stays_text_when_its_settings_are_resolved_and_written() -> None:
    keep_names()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("evaluate", overrides=[f"data.path={quoted('a${x}.h5')}"])
    del cfg.data.exclude
    assert instantiate(cfg.data, _convert_="all").path == "a${x}.h5"
    OmegaConf.resolve(cfg.data)
    assert cfg.data.path == "a${x}.h5" and cfg.data.seed == 0
    plain = OmegaConf.to_container(cfg.data, resolve=True)
    assert OmegaConf.create(OmegaConf.to_yaml(escaped(plain))).path == "a${x}.h5"


@pytest.mark.parametrize("recipe", ["4*(60*HIO(0.9) + 20*ER)", "50*ER + shrinkwrap(2.0, 0.1)/20", "12"])
def test_a_recipe_needs_no_quotes(recipe: str) -> None:
    words = quote_names([f"phasing.recipe={recipe}"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("phase", overrides=words).phasing.recipe == recipe
    listed = ["phasing.recipe=[{update: ER, repeat: 5}]", "phasing.recipe='5*ER'"]
    assert quote_names(listed) == listed


def test_a_command_is_shown_as_it_was_typed() -> None:
    typed = ["frames.h5", "method=[graph_cut,photon_count]", "out=runs/mine", "data.path=a b.h5"]
    words = command_line("evaluate", typed[1:], "data.path")
    assert "hydra.run.dir=runs/mine" in words and words[0].startswith("methods=")
    assert (
        as_typed("evaluate", words) == "spi evaluate 'method=[graph_cut,photon_count]' out=runs/mine 'data.path=a b.h5'"
    )
    assert as_typed("simulate", command_line("simulate", ["out=a.cxi"], "path")) == "spi simulate out=a.cxi"
