"""Whose answer counts where only one can: the selection, the galleries, the table of frames."""

from collections.abc import Sequence
from pathlib import Path

from spi_lightning.errors import UserError

ENSEMBLE = "ensemble"


def headline_name(wanted: str | None, names: Sequence[str], trained: Sequence[str]) -> str:
    """The method that selects.

    Args:
        wanted: A name, the last part of one, or a run folder; None: the ensemble of the trained networks if there are
            several, else the one trained network, else the first method.
        names: Of all methods, in the order asked for.
        trained: Of those that are trained networks.

    Raises:
        UserError: The wanted one is not there, or several are meant.
    """
    choices = [*names, *([ENSEMBLE] if len(trained) > 1 else [])]
    if wanted is None:
        return ENSEMBLE if len(trained) > 1 else [*trained, *names][0]
    last = "/".join(Path(wanted).parts[-2:])
    for found in (
        [name for name in choices if name == wanted],
        [name for name in choices if name == last or name.endswith(f"/{wanted}")],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            break
    what = "several are meant" if found else "no such method is asked"
    raise UserError(f"selection.method={wanted}: {what}; choose one of {', '.join(choices)}.")


def why_selects(name: str, names: Sequence[str], trained: Sequence[str]) -> str:
    """Why a method selects where several answer and none was named, as the end of a sentence; empty for one method.

    Args:
        name: Of the method that selects.
        names, trained: As for headline_name.
    """
    if len(names) < 2:
        return ""
    which = "the mean of the networks" if name == ENSEMBLE else "the one network" if trained else "the first"
    return f"; {name} is {which} of {len(names)} methods, selection.method=NAME chooses another"
