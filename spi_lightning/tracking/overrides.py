"""Words of the commands that made a run, such as ``optimizer.lr=0.01``: its first command and those that resumed it."""

import json
from collections.abc import Sequence
from pathlib import Path

from spi_lightning.results.training import VERSIONS
from spi_lightning.tasks.checkpoint_files import run_of


def all_words(words: Sequence[str], resume: str | None) -> list[str]:
    """Overrides of a run: those of its first command, then those of a further command.

    Args:
        words: Words of the command.
        resume: Run folder or checkpoint that the command resumes; None for a new run.
    """
    if resume is None:
        return list(words)
    return [*joined_words(recorded_overrides(run_of(resume)), words), f"resume={resume}"]


def recorded_overrides(run: Path) -> list[str]:
    """Overrides of the first command of a run, as recorded in its folder; without those that read more than conf/.

    Their values are in the checkpoint already, resolved. Words that name a class are left out, too, since composing
    looks up what it takes, and ``trust``, which every command states itself.
    """
    try:
        words = json.loads((run / VERSIONS).read_text(encoding="utf-8"))["overrides"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    words = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    foreign, inside = ("hydra", "trust"), ("${", "..", "_target_")
    return [
        word for word in words if not (word.lstrip("+~").startswith(foreign) or any(signs in word for signs in inside))
    ]


def joined_words(earlier: Sequence[str], later: Sequence[str]) -> list[str]:
    """Both lists of words, of a key the later one, without those that name the folder of the run."""
    keys = {key_of(word) for word in later}
    words = [*(word for word in earlier if key_of(word) not in keys), *later]
    return [word for word in words if key_of(word) not in ("resume", "folder")]


def key_of(word: str) -> str:
    """Key of a word, without its value and its signs ``+`` and ``~``."""
    return word.partition("=")[0].lstrip("+~")


def is_of(key: str, choice: str) -> bool:
    """Whether a key belongs to the group of a choice such as ``loss/focal``."""
    group = choice.rpartition("/")[0].replace("/", ".")
    return f"{key.replace('/', '.')}.".startswith(f"{group}.")
