"""Words of a command line made overrides of Hydra: bare file names, short words, names and recipes in quotes."""

import glob
import os
import re
import shlex
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from spi_lightning.console import Terminal
from spi_lightning.errors import UserError
from spi_lightning.locations import CONF
from spi_lightning.settings.comments import read_whole_choice

OUT: Final = {"simulate": "path", "describe": "per_frame", "compare": "out", "export": "path", "label": "labels"}
"""What ``out=`` is short for, if not for the folder of the run."""
FLAGS: Final = frozenset(("-m", "--multirun", "-r", "--run", "--resolve", "--hydra-help", "--version"))
"""Options of Hydra; those that take a value are in WITH_VALUE."""
WITH_VALUE: Final = frozenset(
    (
        *("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir"),
        *("-i", "--info", "-sc", "--shell-completion", "--experimental-rerun"),
    )
)
_DATA: Final = {"one_scan": "rocking scans", "merged_intensity": "merged intensities"}
"""Choices of data of ``spi phase`` beside one_frame, and what they are in words."""
_PREPARATION: Final = "preparation."
RECIPE: Final = "phasing.recipe="
_WORD = re.compile(r"[+~]{0,2}[\w.@/]+=", re.ASCII)


def command_line(command: str, words: Sequence[str], file_key: str) -> list[str]:
    """Words of a command as Hydra reads them.

    Args:
        command: Name of the command, for messages.
        words: Words of the command line behind its name.
        file_key: Setting that bare words stand for, all of them together; empty where there is none.

    Raises:
        UserError: An option that does not exist, or a bare word that the command does not take.
    """
    sweep = any(word in ("-m", "--multirun") for word in words)
    if sweep and any(word in ("-c", "--cfg", "-i", "--info") for word in words):
        raise UserError(f"-m has no settings of one job; spi {command} without -m prints them, or spi config {command}")
    short = {
        "method": "methods",
        "like": "data.path",
        "out": OUT.get(command, "hydra.sweep.dir" if sweep else "hydra.run.dir"),
    }
    files, others = [], []
    for before, word in zip(("", *words), words, strict=False):
        key, equals, value = word.partition("=")
        if before in WITH_VALUE:
            others.append(word)
        elif _is_file(word):
            files.append(word)
        elif word.startswith("-") and key not in FLAGS | WITH_VALUE:
            raise UserError(f"{word} is no option; write KEY=VALUE; spi {command} --help lists the keys")
        else:
            others.append(choice_of_file(f"{short.get(key, key)}={value}") if equals else word)
    if files and not file_key:
        data = "" if any(word.startswith(("data=", "experiment=")) for word in words) else "data=hits "
        example = f"{data}data.path={files[0]}"
        raise UserError(f"{files[0]}: write KEY=VALUE, as in {example}; spi {command} --help lists the keys")
    found = [(data, word) for data in _DATA if (word := word_of(data, others))] if command == "phase" else []
    for data, word in found[:1]:
        Terminal(width=110).print(f"data={data}, since {word} is a setting of {_DATA[data]} alone", soft_wrap=True)
        others.insert(0, f"data={data}")
    named = ",".join(map(quoted, files))
    return quote_names([*others, *([f"{file_key}=[{named}]" if files[1:] else f"{file_key}={named}"] if files else [])])


def choice_of_file(word: str) -> str:
    """A word such as ``simulate=mine/tuned.yaml``, a file instead of a name in conf/simulate/, as Hydra takes it."""
    key, _, value = word.partition("=")
    group = key.partition("@")[0]
    if not value.endswith(".yaml") or not (CONF / group).is_dir() or not Path(value).is_file():
        return word
    return f"{key}={os.path.relpath(Path(value).with_suffix(''), CONF / group)}"


def as_typed(command: str, words: Sequence[str]) -> str:
    """Line of a command as a user writes it, from its words as Hydra reads them: ``method=`` and ``out=`` again.

    Args:
        command: Name of the command.
        words: Words of the command line behind its name, as command_line gives them.
    """
    plain = {"methods": "method", "hydra.run.dir": "out", "hydra.sweep.dir": "out"}
    plain |= {OUT[command]: "out"} if command in OUT else {}
    pairs = (word.partition("=") for word in words)
    return shlex.join(["spi", command, *(f"{plain.get(key, key)}{equals}{value}" for key, equals, value in pairs)])


def word_of(data: str, words: Sequence[str]) -> str:
    """Key of the first word that a choice of data takes and a 2D pattern does not; empty where the data are named."""
    keys = [word.partition("=")[0] for word in words if "=" in word]
    if "data" in keys:
        return ""
    frame, own = (
        {each.key for each in read_whole_choice(CONF / "data" / f"{name}.yaml").settings}
        for name in ("one_frame", data)
    )
    return next((key for key in keys if key[:5] == "data." and _within(key[5:], own) > _within(key[5:], frame)), "")


def _within(key: str, settings: Set[str]) -> bool:
    """Whether a key is one of some settings, or of a part that has settings but does not list all: preparation."""
    return key in settings or (key.startswith(_PREPARATION) and any(each.startswith(_PREPARATION) for each in settings))


def _is_file(word: str) -> bool:
    """Whether a word names a file or folder instead of a setting, an option or a deletion of Hydra (~KEY)."""
    return _is_there(word, pattern=False) or not (word.startswith(("-", "~")) or "=" in word)


def quote_names(words: Sequence[str]) -> list[str]:
    """Quote the values that name files and that Hydra would refuse or read as something else.

    ``data.path=rosalind's.h5`` ends an override, ``data.path=a,b.h5`` is a sweep, ``run[1].h5`` a list, ``${x}.h5`` an
    interpolation: where such a value is the name of a file that is there, or a glob that finds some, it is meant as
    text. So is a value that Hydra cannot read and that looks like a path, e.g. of a file to write, and a phasing
    recipe, whatever brackets it holds.
    """
    parser = OverridesParser.create()
    return [_quoted_if_name(word, parser) for word in words]


def _quoted_if_name(word: str, parser: OverridesParser) -> str:
    key = _WORD.match(word)
    if key is None:
        return word
    value = word[key.end() :]
    if key.group() == RECIPE:
        return word if value[:1] in ("'", '"', "[") else f"{RECIPE}{quoted(value)}"
    try:
        override: Override | None = parser.parse_override(word)
    except HydraException:
        override = None
    read = None if override is None else override.value()
    if read == value and "${" not in value:
        return word
    if value[:1] in ("'", '"') and isinstance(read, str) and "${" in read and _is_there(read, pattern=True):
        return f"{key.group()}{quoted(read)}"  # in quotes that leave interpolations as they are
    if _is_there(value, pattern=override is None or value[:1] != "[") or (
        override is None and value[:1] not in "['\"{" and Path(value).suffix
    ):
        return f"{key.group()}{quoted(value)}"
    return word


def _is_there(value: str, pattern: bool) -> bool:
    """Whether a value names something that exists, or is a glob of such, as a list such as [a,b] is not."""
    try:
        return Path(value).exists() or (pattern and glob.has_magic(value) and next(glob.iglob(value), None) is not None)  # noqa: PTH207
    except (OSError, ValueError):  # too long, or a null byte
        return False


def quoted(text: str) -> str:
    r"""Text in Hydra's quotes, for which ``'`` and backslashes before it or at the end are escaped, and ``${``."""
    text = text.replace("${", r"\${")
    text = re.sub(r"(\\*)'", r"\1\1\\'", text)
    ending = len(text) - len(text.rstrip("\\"))
    return f"'{text}{ending * chr(92)}'"
