"""Help of the commands, from the comments of the YAML files in conf/."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from spi_lightning.locations import CONF
from spi_lightning.settings.comments import Choice, Setting, read_choice, read_whole_choice

WIDTH: Final = 80  # columns
LINES: Final = 100  # of a page, up to which it also lists the keys of the chosen parts
CONFIG: Final = """usage: spi config [COMMAND] [KEY=VALUE ...]

Print the settings of a command, by default of train, as they would be taken:
every group resolved, every key with its comment.

Examples:
  spi config experiment=han_resnet10
  spi config evaluate data=volumes
  spi config phase scan.nxs data=one_scan phasing=wu_iterative"""
_NAMES: Final = 36  # columns of the longest key beside its comment
_FIRST: Final = ("method", "experiment", "sweep", "orient")  # groups of which a page always has a line for each choice
_ONE_PATTERN: Final = ("one_frame", "one_scan", "merged_intensity")  # choices of data that are not sets
_STRUCTURE: Final = ("_target_", "_partial_", "_convert_", "defaults", "hydra")


def overview(file_keys: Mapping[str, str]) -> str:
    """Help of ``spi``: every command with one line.

    Args:
        file_keys: Names of the commands, each with the setting that a bare word stands for.
    """
    lines = [f"  {name:<8}  {read_choice(CONF / f'{name}.yaml').first_sentence}" for name in file_keys]
    lines.append("  config    Print the settings of a command, resolved and commented")
    usage = ["usage: spi COMMAND [FILE] [KEY=VALUE ...]", "", *lines, ""]
    return "\n".join([*usage, "spi COMMAND --help lists the settings of a command, with examples."])


def help_of(name: str, words: Sequence[str], file_key: str) -> str:
    """Help of a command.

    Args:
        name: Name of the command.
        words: Words beside ``--help``: GROUP or GROUP=CHOICE asks for the keys of a group's choices.
        file_key: Setting that a bare word stands for; empty where there is none.
    """
    if name == "config":
        return CONFIG
    groups = groups_of(name)
    wanted = [word.partition("=") for word in words if word.partition("=")[0] in groups]
    if wanted:
        files = [path for group, _, choice in wanted for path in _files(name, group) if choice in ("", path.stem)]
        return "\n\n".join("\n".join(_part(read_choice(path))) for path in files)
    pages = [_page(name, file_key, groups, further) for further in ("keys", "choices", "names")]
    return "\n".join(next((page for page in pages if len(page) <= LINES), pages[-1]))


def _page(name: str, file_key: str, groups: Mapping[str, Any], further: str) -> list[str]:
    """Lines of a command's page: its choices with one line each, its keys, its examples.

    Args:
        name, file_key: Name of the command and the setting of its bare words, as of help_of.
        groups: Groups with their defaults.
        further: ``keys`` to add the keys of the chosen parts; ``names`` to give only the names of the choices, but in
            groups that a user of the command looks at first.
    """
    choice = read_choice(CONF / f"{name}.yaml")
    bare = "FILE" if "path" in file_key else "NAME" if file_key == "name" else "RUN"
    page = [
        f"usage: spi {name}{f' [{bare}]' * bool(file_key)} [KEY=VALUE ...]",
        "",
        *textwrap.wrap(choice.about, WIDTH),
    ]
    if file_key:
        page += ["", f"A word without = is {file_key}=."]
    if groups:
        page += ["", "Choices, GROUP=CHOICE; * is taken where none is named:"]
    for group, default in groups.items():
        lines = _names if further == "names" and group not in _FIRST else _group
        page += lines(group, default, _files(name, group))
    page += ["", "Keys, KEY=VALUE, with their defaults:", *_keys(choice.settings)]
    for group, default in groups.items() if further == "keys" else ():
        page += _keys_of(group, str(default)) if default else ()
    page += [line for base in _bases(name) for line in ("", f"The keys of spi {base} are taken too.")]
    if groups and further != "keys":
        page += ["", f"spi {name} GROUP --help lists the choices of a group with their keys."]
    return [*page, "", "Examples:", *(part for line in choice.examples for part in _command(line))]


def groups_of(name: str) -> dict[str, Any]:
    """Groups that a command chooses from, each with its default; None for no choice."""
    named = {key: value for entry in _defaults(name) if isinstance(entry, dict) for key, value in entry.items()}
    methods = {"method": None} if name == "evaluate" else {}  # which the command finds by itself, in any number
    return methods | {group: value for group, value in named.items() if (CONF / group).is_dir()}


def _defaults(name: str) -> list[Any]:
    entries: list[Any] = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))["defaults"]
    return entries


def _bases(name: str) -> list[str]:
    """Commands whose files the file of a command builds on."""
    return [entry for entry in _defaults(name) if isinstance(entry, str) and (CONF / f"{entry}.yaml").is_file()]


def _files(name: str, group: str) -> list[Path]:
    """Files of the choices of a group that a command takes, sorted; methods by what they answer."""
    files = sorted((CONF / group).glob("*.yaml"))
    if group == "method":
        return sorted(files, key=lambda path: read_choice(path).first_sentence.partition(":")[0])
    one = {"phase": _ONE_PATTERN, "evaluate": ("one_scan",)}.get(name, ())
    kept = [path for path in files if path.stem in one or (path.stem not in _ONE_PATTERN and name != "phase")]
    return kept if group == "data" else files


def _group(group: str, default: object, files: Sequence[Path]) -> Iterator[str]:
    """The choices of a group with one line each."""
    choices = [read_choice(path) for path in files]
    width = max(len(choice.path.stem) for choice in choices)
    yield f"  {group}"
    for choice in choices:
        mark = "*" if choice.path.stem == default else " "
        yield f"  {mark} {choice.path.stem:<{width}}  {choice.first_sentence}"


def _names(group: str, default: object, files: Sequence[Path]) -> Iterator[str]:
    """The names of the choices of a group in few lines."""
    names = [f"{path.stem}{'*' * (path.stem == default)}" for path in files]
    yield from textwrap.wrap(f"{group:<12}{', '.join(names)}", WIDTH, initial_indent="  ", subsequent_indent=" " * 14)


def _part(choice: Choice) -> Iterator[str]:
    """One choice with all that is said about it and its keys."""
    group = str(choice.path.parent.relative_to(CONF))
    yield f"{group}={choice.path.stem}"
    yield from textwrap.wrap(choice.about, WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield from _keys_of(group, choice.path.stem)


def _keys_of(group: str, name: str) -> Iterator[str]:
    """Lines of the keys of a choice, under the name of its group."""
    choice = read_whole_choice(CONF / group / f"{name}.yaml")
    package = "" if choice.is_global else f"{group.replace('/', '.')}."
    yield from _keys(replace(each, key=f"{package}{each.key}") for each in choice.settings)


def _keys(settings: Iterable[Setting]) -> Iterator[str]:
    """A line of each key that has a value or a comment; long comments go on below themselves."""
    listed = [each for each in settings if not set(_STRUCTURE) & set(each.key.split("."))]
    texts = [f"{each.key}={each.value}" if each.value else f"{each.key}.…" for each in listed]
    width = max((len(text) for text in texts if len(text) <= _NAMES), default=0)
    for text, setting in zip(texts, listed, strict=True):
        if not setting.value and not setting.comment:
            continue
        beside = textwrap.wrap(setting.comment, WIDTH - width - 4)
        if len(text) > width and beside:
            yield _cut(f"  {text}")
            text = ""
        yield _cut(f"  {text:<{width}}  {beside[0] if beside else ''}".rstrip())
        yield from (f"  {'':<{width}}  {line}" for line in beside[1:])


def _command(line: str) -> Iterator[str]:
    """An example in lines that a shell joins."""
    *begun, last = textwrap.wrap(
        line, WIDTH - 4, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False
    )
    yield from (f"{part} \\" for part in begun)
    yield last


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1].rpartition(" ")[0] + " …"
