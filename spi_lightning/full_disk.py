"""A file for h5py and torch.save that outlives a full disk.

When the system refuses a write, the HDF5 library cannot close its file any more and brings the whole process down at
its end; torch.save ends in an error of its own that does not tell why. This file keeps the error, pretends that all is
well so that the library can close, and tells the writer, which then throws the file away.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import h5py


@contextmanager
def new_hdf5(path: Path, libver: tuple[str, str] | None = None) -> Iterator[h5py.File]:
    """Create an HDF5 file; OSError at the end, with the file closed, if the system refused a write.

    Args:
        path: File to create.
        libver: Oldest and newest format of the HDF5 library that may be used; None: the default of h5py.
    """
    with patient_file(path) as store, h5py.File(store, "w", libver=libver) as file:
        yield file


@contextmanager
def patient_file(path: Path) -> Iterator[PatientFile]:
    """Create a binary file for a library that dies of refused writes; OSError at the end if there were any."""
    with closing(PatientFile(path)) as store:
        yield store
        store.close()
        if store.error is not None:
            raise store.error


class PatientFile(io.RawIOBase):
    """A new binary file whose writes never fail; the first refusal is kept in `error`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._position = 0
        self.error: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Write all of the data at the present position, or keep the reason why not."""
        view = memoryview(data).cast("B")
        done = 0
        while self.error is None and done < len(view):
            try:
                done += os.pwrite(self._file, view[done:], self._position + done)
            except OSError as error:
                self.error = error
        self._position += len(view)
        return len(view)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from the present position; zeros stand where nothing was stored."""
        view = memoryview(buffer).cast("B")
        found = os.pread(self._file, len(view), self._position)
        view[:] = found + bytes(len(view) - len(found))
        self._position += len(view)
        return len(view)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._file).st_size}[whence]
        self._position = start + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file, or keep the reason why not."""
        size = self._position if size is None else size
        try:
            os.ftruncate(self._file, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def close(self) -> None:
        """Close the file; what the system refuses only now is kept too."""
        if not self.closed:
            try:
                os.close(self._file)
            except OSError as error:
                self.error = self.error or error
        super().close()

    def tell(self) -> int:
        """Present position."""
        return self._position

    def readable(self) -> bool:
        """Yes."""
        return True

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True
