"""Names of files and phasing recipes on the command line, quoted as Hydra needs them."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

RECIPE = "phasing.recipe="
_WORD = re.compile(r"[+~]{0,2}[\w.@/]+=", re.ASCII)


def quote_names(words: Sequence[str]) -> list[str]:
    """Quote the values that name files and that Hydra would refuse or read as something else.

    ``data.path=rosalind's.h5`` ends an override, ``data.path=a,b.h5`` is a sweep, ``run[1].h5`` a list, ``${x}.h5`` an
    interpolation: where such a value is the name of a file that is there, or a glob that finds some, it is meant as
    text. So is a value that Hydra cannot read and that looks like a path, e.g. of a file to write, and a phasing
    recipe, whatever brackets it holds.
    """
    parser = OverridesParser.create()
    return [_quoted_if_name(word, parser) for word in words]


def as_plain_list(arguments: Sequence[str]) -> list[str]:
    """Command line in which ``method=`` reads ``methods=``.

    Hydra takes ``method=`` for the folder conf/method/, would lay the named files over one another and refuse the paths
    of runs; here each is a method of its own.
    """
    return [f"methods={word[7:]}" if word.startswith("method=") else word for word in arguments]


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
