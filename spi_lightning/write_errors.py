"""File object for h5py and torch.save that records write errors (a full disk) instead of raising them.

After a failed write the HDF5 library cannot close its file and aborts the process at its end; torch.save raises an
error of its own without the cause. With this file object the library closes normally, and the recorded OSError is
raised afterwards.
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
    """Create an HDF5 file; raises OSError after closing it if a write failed.

    Args:
        path: Path of the file to create.
        libver: Oldest and newest format version of the HDF5 library to use; None for the default of h5py.
    """
    with error_recording_file(path) as store, h5py.File(store, "w", libver=libver) as file:
        yield file


@contextmanager
def error_recording_file(path: Path) -> Iterator[ErrorRecordingFile]:
    """Create a binary file for a library that cannot handle write errors; raises the first one at the end."""
    with closing(ErrorRecordingFile(path)) as store:
        yield store
        store.close()
        if store.error is not None:
            raise store.error


class ErrorRecordingFile(io.RawIOBase):
    """New binary file whose writes never raise; the first OSError is recorded in `error`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._position = 0
        self.error: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Write all bytes at the current position, or record the error."""
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
        """Fill the buffer from the current position; zeros where nothing was stored."""
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
        """Set the length of the file, byte, or record the error."""
        size = self._position if size is None else size
        try:
            os.ftruncate(self._file, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def close(self) -> None:
        """Close the file; an error that the system reports only now is recorded too."""
        if not self.closed:
            try:
                os.close(self._file)
            except OSError as error:
                self.error = self.error or error
        super().close()

    def tell(self) -> int:
        """Current position, byte."""
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
