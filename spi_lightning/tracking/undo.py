"""Undo of what a run has written before a user's mistake ended it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spi_lightning.files import atomic_write, remove_empty
from spi_lightning.tasks.checkpoint import BEST

from .run_folder import CONFIG, LOG, VERSIONS


@contextmanager
def undone_after(is_mistake: Callable[[Exception], bool], folder: Path, discard: Callable[[], None]) -> Iterator[None]:
    """Context that leaves a run folder as it was, byte for byte, where a mistake ends it.

    Args:
        is_mistake: Function that says whether an error is a mistake made before anything was saved; after other errors
            the folder stays as it is.
        folder: Run folder of the training.
        discard: Function that removes what the loggers have written.
    """
    before = {
        path: path.read_bytes() if path.is_file() else None for path in map(folder.joinpath, (CONFIG, VERSIONS, LOG))
    }
    best = folder / BEST
    had_best = best.is_file()
    try:
        yield
    except Exception as error:
        if not is_mistake(error):
            raise
        discard()
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                with atomic_write(path) as part:
                    part.write_bytes(content)
        if not had_best:  # else copied from the run that was resumed
            best.unlink(missing_ok=True)
            remove_empty([best.parent])
        raise
