"""Primary method: the one whose answer makes the selection, the galleries and the table of frames."""

from collections.abc import Sequence
from pathlib import Path

from spi_lightning.errors import UserError

ENSEMBLE = "ensemble"


def primary_name(wanted: str | None, names: Sequence[str], trained: Sequence[str]) -> str:
    """Name of the method that selects.

    Args:
        wanted: Name of a method, the last part of one, or a run folder; None: the ensemble of the trained networks if
            there are two or more, else the one trained network, else the first method.
        names: Names of all methods, in the order of the command.
        trained: Names of those that are trained networks.

    Raises:
        UserError: The wanted one is not there, or two or more are meant.
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
    what = "the name fits more than one method" if found else "there is no such method"
    raise UserError(f"selection.method={wanted}: {what}; choose one of {', '.join(choices)}")


def reason_of(name: str, names: Sequence[str], trained: Sequence[str]) -> str:
    """Reason why a method selects where none was named, as the end of a sentence; empty for one method alone.

    Args:
        name: Name of the method that selects.
        names, trained: Names of all methods and of the trained networks, as for primary_name.
    """
    if len(names) < 2:
        return ""
    which = "the mean of the networks" if name == ENSEMBLE else "the one network" if trained else "the first"
    return f"; {name} is {which} of {len(names)} methods, selection.method=NAME chooses another"
