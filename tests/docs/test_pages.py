"""Pages name commands, choices, keys and public names that exist; code of Python on them runs."""

import ast
import builtins
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

import spi_lightning.apps.process.entry  # noqa: F401  registers the resolvers of the configuration
from spi_lightning.apps.configuration.plain_words import command_line
from spi_lightning.apps.spi import FILE_KEY
from spi_lightning.locations import CONF
from spi_lightning.settings import check_settings
from spi_lightning.tasks.checkpoint_files import shipped_names
from tests.cases.commands import ROOT

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]
GROUPS = {str(path.parent.relative_to(CONF)) for path in CONF.rglob("*.yaml")} - {"."}
OWN = ("hydra.searchpath", "trust")  # words of commands on packages of the reader, which tests/extending runs
FILES = ("runs/", '"hits.')  # in code that needs those of the reader
IMPORTS = (ast.Import, ast.ImportFrom)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"^spi ([\w-]+) ?(.*)$")


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Fenced code of a language on every page."""
    for page in PAGES:
        yield from (
            (page, code) for found, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language
        )


def commands() -> Iterator[tuple[Path, str, list[str]]]:
    """Page, name and words of every command in a block."""
    for page, code in blocks("bash"):
        for line in code.replace("\\\n", " ").splitlines():
            if found := _CALL.match(line.strip()):
                yield page, found[1], shlex.split(found[2], comments=True)


def as_id(value: object) -> str:
    """A page or words as the name of a test."""
    return value.name if isinstance(value, Path) else " ".join(value) if isinstance(value, list) else str(value)


def keys_of(words: list[str]) -> list[str]:
    """Names before the = of words that have one."""
    return [word.partition("=")[0].lstrip("+~-") for word in words if "=" in word]


@pytest.mark.parametrize(("page", "name", "words"), list(commands()), ids=as_id)
def test_commands_can_be_run(page: Path, name: str, words: list[str]) -> None:
    assert name in FILE_KEY
    own_files = [word for word in words if word.partition("=")[0] in GROUPS and is_file(word)]
    if own_files or any(key in OWN for key in keys_of(words)):
        return
    assert unknown_methods(words) == []
    swept = "-m" in words
    given = command_line(name, [first_value(word) if swept else word for word in words], FILE_KEY[name])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(name, overrides=[word for word in given if not word.startswith(("hydra", "-"))])
    if "resume" not in keys_of(words):  # else the run itself says what there is
        require_types(name, cfg)


def require_types(name: str, cfg: DictConfig) -> None:
    """UserError for a value that the command would refuse."""
    name = {"classify": "evaluate"}.get(name, name)
    own, plain = (
        cast(dict[str, Any], OmegaConf.to_container(each, resolve=False))
        for each in (OmegaConf.load(CONF / f"{name}.yaml"), cfg)
    )
    types = getattr(import_module(f"spi_lightning.apps.{name.replace('-', '_')}"), "TYPES", {})
    check_settings(plain, own, {"name": str | float | None, **types})


def is_file(word: str) -> bool:
    """Whether a choice is a file of the reader in place of a name."""
    return word.endswith(".yaml")


def first_value(word: str) -> str:
    """A word of a sweep with its first value."""
    return word if "[" in word or "{" in word else word.split(",")[0]


def unknown_methods(words: list[str]) -> list[str]:
    """Values of `method=` that are neither a file of conf/method nor weights of the package nor may be a run."""
    values = [word.partition("=")[2].strip("[]") for word in words if word.startswith("method=")]
    names = [name.strip() for value in values for name in value.split(",")]
    known = {*choices("method"), *shipped_names()}
    return [name for name in names if re.fullmatch(r"[a-z][a-z0-9_]*", name) and name not in known]


def choices(group: str) -> set[str]:
    """Names of the files of a group."""
    return {path.stem for path in (CONF / group).glob("*.yaml")}


@pytest.mark.parametrize("page", PAGES, ids=as_id)
def test_choices_in_the_text_exist(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    words = [word for code in _INLINE.findall(text) for word in code.split() if "=" in word]
    assert unknown_methods(words) == []
    chosen = [(key, value) for key, _, value in (word.partition("=") for word in words) if key in GROUPS - {"method"}]
    named = [(key, value) for key, value in chosen if value.islower() and not is_file(value)]
    assert [f"{key}={value}" for key, value in named if value not in choices(key)] == []


@pytest.mark.parametrize(
    ("page", "code"),
    [each for each in blocks("python") if DOCS in each[0].parents],
    ids=as_id,
)
def test_code_runs(page: Path, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"^from (\S+) import (.+)$", code, re.MULTILINE):
        assert all(get_object(f"{name[0]}.{each.strip()}") for each in name[1].split(","))
    if not any(file in code for file in FILES) and not free_names(code):
        exec(compile(code, str(page), "exec"), {})


def free_names(code: str) -> set[str]:
    """Names that code uses and does not define: those of the reader's own arrays."""
    names = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    defined = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(dir(builtins))
    aliases = [alias for node in ast.walk(ast.parse(code)) if isinstance(node, IMPORTS) for alias in node.names]
    return {node.id for node in names} - defined - {alias.asname or alias.name for alias in aliases}
