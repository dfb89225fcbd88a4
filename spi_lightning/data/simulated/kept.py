"""Sets kept on disk for later runs: found whole or made anew, and the parts that an interrupted run leaves behind."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

from spi_lightning.errors import UserError
from spi_lightning.files import content_hash, file_lock, write_text

from .parts import WorkerKilledError

_log = logging.getLogger(__name__)


def kept_set(path: Path, make: Callable[[], None], is_readable: Callable[[], bool]) -> Path:
    """The path of a set, made first where it is missing, cut short or changed since it was made.

    Its checksum lies beside it; a set without one gets it. Several processes may want the set at once: one makes it,
    the others wait.

    Args:
        path: File that holds the set.
        make: Function that writes the set, whole or not at all.
        is_readable: Function that says whether the file is a readable set of the right length.
    """
    if not _is_sound(path, is_readable):
        with file_lock(path, wait=True):
            if not _is_sound(path, is_readable, say=True):
                make()
                _note_checksum(path)
    return path


def require_replaceable(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unasked, or one that is no simulated set.

    Raises:
        UserError: The file exists and must not be replaced.
    """
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise UserError(f"{path} exists already: give another path=, or overwrite=true")
    if not _is_simulated(path):
        raise UserError(f"{path}: overwrite=true replaces simulated sets, and this is none; give another path=")


def _is_simulated(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "simulate_config" in file.attrs
    except (OSError, RuntimeError):  # cut short, as every set may be; text has no signature
        return bool(h5py.is_hdf5(path))


@contextmanager
def kept_parts(path: Path, folder: Path) -> Iterator[None]:
    """Keep the parts of a set in ``folder`` when its making is interrupted, and for no other reason.

    What was left of other settings or half written goes first.
    """
    for other in path.parent.glob(f".{path.name}.*.parts"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    for half in (*path.parent.glob(f".{path.name}.*.part"), *folder.glob(".*.part")):
        half.unlink(missing_ok=True)
    try:
        yield
    except WorkerKilledError:
        raise
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)  # a full disk must not stay full of parts
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _is_sound(path: Path, is_readable: Callable[[], bool], say: bool = False) -> bool:
    if not path.exists():
        return False
    try:
        stored = _beside(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        stored = ""
    if is_readable() and stored in ("", content_hash(path)):
        if not stored:
            _note_checksum(path)
        return True
    if say:
        _log.warning("%s: the kept set is damaged or cut short; it is made anew", path)
    return False


def _note_checksum(path: Path) -> None:
    with suppress(UserError):  # of a cache that others have filled and that cannot be written
        write_text(_beside(path), f"{content_hash(path)}\n")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
