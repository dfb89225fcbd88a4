"""Settings of a YAML file with the comments beside them."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

_LINE = 120  # columns up to which a comment stands behind its line
_COMMENT = re.compile(r"\s*#\s?(.*)")
_SENTENCE = re.compile(r"(?<!\bal)(?<!\bSect)(?<!\bSects)(?<!\bEq)(?<!\bEqs)(?<!\bFig)(?<!\bFigs)\. ")


@dataclass(frozen=True)
class Setting:
    """One key of a file.

    Attributes:
        key: Dotted path inside the file.
        value: Value as it is written; empty for a mapping whose keys follow.
        comment: Comment above and behind it, without the marks.
    """

    key: str
    value: str
    comment: str


@dataclass(frozen=True)
class Choice:
    """A YAML file of conf/.

    Attributes:
        path: File of the choice, conf/GROUP/NAME.yaml.
        about: Comment at its top, up to its examples.
        examples: Command lines below the line ``Examples:`` of that comment.
        settings: Its keys in the order of the file.
        is_global: Whether its keys are full names of settings, as in conf/experiment/, and not those of its group.
    """

    path: Path
    about: str
    examples: tuple[str, ...]
    settings: tuple[Setting, ...]
    is_global: bool = False

    @property
    def first_sentence(self) -> str:
        """First sentence of the comment at the top."""
        return _SENTENCE.split(self.about, maxsplit=1)[0].rstrip(".")

    def value(self, key: str) -> str:
        """Value of a key as it is written; empty where there is none."""
        return next((each.value for each in self.settings if each.key == key), "")


def read_choice(path: Path) -> Choice:
    """A YAML file as its comment and its settings with theirs."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    top = 0
    while top < len(lines) and lines[top].startswith("#"):
        top += 1
    words = [line.lstrip("# ") for line in lines[:top] if not line.startswith("# @package")]
    end = words.index("Examples:") if "Examples:" in words else len(words)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    found = () if root is None else tuple(_settings(root, "", lines, top))
    is_global = "# @package _global_" in lines[:top]
    return Choice(path, " ".join(words[:end]).strip(), tuple(words[end + 1 :]), found, is_global)


def read_whole_choice(path: Path) -> Choice:
    """As read_choice, with the settings of its parts and of the files it builds on, which its defaults name.

    A part is such as ``keys: scan``, a file to build on such as ``shi_tiny_cnn`` of the same folder. A mapping in one
    line is given by its keys, so that what the file says of them stands over what is below.
    """
    choice = read_choice(path)
    entries = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", [])
    found: dict[str, Setting] = {}
    for base in (path.parent / f"{entry}.yaml" for entry in entries if isinstance(entry, str)):
        below = read_whole_choice(base).settings if base.is_file() else ()
        found |= {leaf.key: leaf for each in below for leaf in _by_key(each)}
    own = [leaf for each in choice.settings for leaf in (_by_key(each) if found or choice.is_global else (each,))]
    found |= {each.key: replace(each, comment=each.comment or found.get(each.key, each).comment) for each in own}
    for group, name in (pair for entry in entries if isinstance(entry, dict) for pair in entry.items()):
        part = path.parent / str(group) / f"{name}.yaml"
        if part.is_file():
            parts = (replace(each, key=f"{group}.{each.key}") for each in read_choice(part).settings)
            found |= {each.key: each for each in parts if each.key not in found}
    return replace(choice, settings=tuple(found.values()))


def _by_key(setting: Setting) -> Iterator[Setting]:
    """The keys of a mapping that is written in one line, each as a setting with its comment; others as they are."""
    node = yaml.compose(setting.value, Loader=yaml.SafeLoader) if setting.value.startswith("{") else None
    if not isinstance(node, yaml.MappingNode) or not node.value:
        yield setting
        return
    for name, value in node.value:
        yield from _by_key(Setting(f"{setting.key}.{name.value}", _written(value, setting.value), setting.comment))


def _settings(node: yaml.MappingNode, prefix: str, lines: list[str], top: int) -> Iterator[Setting]:
    for name, value in node.value:
        key = prefix + name.value
        above = _above(lines, name.start_mark.line, top)
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            behind = _behind(lines[name.end_mark.line][name.end_mark.column + 1 :])
            yield Setting(key, "", _joined(above, behind))
            yield from _settings(value, key + ".", lines, top)
        else:
            in_line = isinstance(value, yaml.ScalarNode) or value.flow_style
            behind = _behind(lines[value.end_mark.line][value.end_mark.column :]) if in_line else ""
            yield Setting(key, _written(value, "\n".join(lines)), _joined(above, behind))


def _written(value: yaml.Node, text: str) -> str:
    """A value in one line, as it is written; a list of lines in brackets."""
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        return "[" + ", ".join(_written(each, text) for each in value.value) + "]"
    return " ".join(text[value.start_mark.index : value.end_mark.index].split())


def _above(lines: list[str], line: int, top: int) -> str:
    """Comment lines directly above a key, those of the top of the file left out."""
    found: list[str] = []
    while line > top and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].lstrip(" #"))
    return " ".join(found)


def _behind(rest: str) -> str:
    found = _COMMENT.match(rest)
    return found[1].strip() if found else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def with_comments(text: str, comments: Mapping[str, str]) -> str:
    """YAML with a comment behind the line of each key that has one, or above it where both would be long.

    Args:
        text: YAML of nested mappings, without comments.
        comments: Comments by the dotted path of their key.
    """
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for setting, line in _lines_of(root, "") if isinstance(root, yaml.MappingNode) else ():
        if comment := comments.get(setting):
            indent = len(lines[line]) - len(lines[line].lstrip())
            above = textwrap.wrap(comment, _LINE - indent - 2)
            behind = f"{lines[line]}  # {comment}"
            long = len(behind) > _LINE
            lines[line] = "\n".join([*(f"{' ' * indent}# {part}" for part in above), lines[line]]) if long else behind
    return "\n".join([*lines, ""])


def _lines_of(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    """Dotted path of every key and the line it stands in."""
    for name, value in node.value:
        yield f"{prefix}{name.value}", name.start_mark.line
        if isinstance(value, yaml.MappingNode):
            yield from _lines_of(value, f"{prefix}{name.value}.")
