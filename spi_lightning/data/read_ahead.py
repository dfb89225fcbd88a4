"""Read a file's patterns in large pieces while something else computes."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spi_lightning.distributed import return_freed_memory
from spi_lightning.errors import UserError
from spi_lightning.io.patterns.pattern_file import PatternFile
from spi_lightning.progress import ProgressBar

T = TypeVar("T")
_BYTES_BETWEEN_TRIMS = 128 << 20  # of photons read, after which freed memory is handed back


@dataclass(frozen=True)
class Piece:
    """Neighbouring frames of a file.

    frame is (n,) int64, photons (n, H, W) float32, mask (H, W), or (n, H, W) where frames differ, bool.
    """

    frame: NDArray[np.int64]
    photons: NDArray[np.float32]
    mask: NDArray[np.bool_]

    def parts(self, most_bytes: int) -> Iterator["Piece"]:
        """The same frames, as many at once as fit into ``most_bytes`` of photons, at least one."""
        step = max(1, most_bytes // self.photons[0].nbytes)
        for start in range(0, len(self.frame), step):
            part = slice(start, start + step)
            yield Piece(self.frame[part], self.photons[part], self.mask if self.mask.ndim == 2 else self.mask[part])


def read_ahead(
    patterns: PatternFile, at_once: int | None = None, depth: int = 2, title: str = "reading"
) -> Iterator[Piece]:
    """Yield the pieces of a file in order, see prepare_ahead."""
    return prepare_ahead(patterns, lambda piece: piece, at_once, depth, title)


def prepare_ahead(
    patterns: PatternFile,
    prepare: Callable[[Piece], T],
    at_once: int | None = None,
    depth: int = 2,
    title: str = "reading",
) -> Iterator[T]:
    """Yield what ``prepare`` makes of a file, piece by piece in order.

    A thread reads and prepares up to ``depth`` pieces ahead of the caller. On a terminal a progress bar named ``title``
    is shown while the caller works.

    Raises:
        UserError: A frame cannot be read; raised when its piece is due.
    """
    step = at_once or patterns.frames_at_once()
    starts = iter(range(0, len(patterns), step))
    frame_bytes = 4 * patterns.shape[1] * patterns.shape[2]
    with ThreadPoolExecutor(1, thread_name_prefix="read_ahead") as reader, ProgressBar() as progress:
        task = progress.add_task(title, total=len(patterns))
        waiting: deque[tuple[int, Future[T]]] = deque()

        def order_next() -> None:
            start = next(starts, None)
            if start is not None:
                stop = min(start + step, len(patterns))
                waiting.append((stop, reader.submit(lambda: prepare(_read(patterns, start, stop)))))

        trimmed = 0
        try:
            for _ in range(depth):
                order_next()
            while waiting:
                stop, future = waiting.popleft()
                prepared = future.result()
                order_next()
                yield prepared
                progress.update(task, completed=stop)
                if (stop - trimmed) * frame_bytes >= _BYTES_BETWEEN_TRIMS:
                    return_freed_memory()
                    trimmed = stop
        finally:
            reader.shutdown(wait=True, cancel_futures=True)


def read_vectors(
    patterns: PatternFile,
    make: Callable[[Tensor, Tensor], Tensor],
    device: torch.device | str = "cpu",
    title: str = "reading",
) -> Tensor:
    """One vector for each frame of a file, read piece by piece, so that the patterns are never in memory together.

    Args:
        patterns: File of N frames.
        make: Photons (n, H, W) float32 and mask, (H, W) or (n, H, W) bool, -> (n, d).
        device: Name of the device that ``make`` computes on.
        title: Title of the progress bar.

    Returns:
        (N, d) float32 on the CPU.
    """
    vectors: Tensor | None = None
    with torch.inference_mode():
        for piece in read_ahead(patterns, title=title):
            photons, mask = (
                torch.from_numpy(piece.photons).to(device),
                torch.from_numpy(np.array(piece.mask)).to(device),
            )
            part = make(photons, mask).float().cpu()
            if vectors is None:
                vectors = torch.empty(len(patterns), part.shape[1])
            vectors[piece.frame[0] : piece.frame[0] + len(part)] = part
    if vectors is None:
        raise UserError(f"{patterns.path}: holds no frames")
    return vectors


def _read(patterns: PatternFile, start: int, stop: int) -> Piece:
    frame = np.arange(start, stop)
    mask = patterns.read_mask(frame)
    if mask.ndim == 3 and mask.strides[0] == 0:  # one mask, only spread over the frames
        mask = mask[0]
    return Piece(frame, patterns.read(frame), mask)
