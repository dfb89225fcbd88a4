"""Errors for patterns of another size than a network takes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spi_lightning.errors import UserError

TRAIN_AT_THIS_SIZE = "use a checkpoint trained at this size"


@contextmanager
def size_refused(
    who: object, checkpoint: Path, shape: Sequence[int], remedy: str = TRAIN_AT_THIS_SIZE, first: bool = True
) -> Iterator[None]:
    """Turn the error of a layer on a shape that it cannot take into a UserError.

    Args:
        who: Method or file that the line begins with.
        checkpoint: Checkpoint of the network.
        shape: Shape of one pattern, (H, W) pixels or (Z, Y, X) voxels.
        remedy: Words on what the user can do.
        first: Whether this is the first batch; once one has passed, the shape is right and the error is another.

    Raises:
        UserError: A RuntimeError of the block that is not for want of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not first or "memory" in str(error):
            raise
        size, unit = " x ".join(str(n) for n in shape), "pixels" if len(shape) == 2 else "voxels"
        raise UserError(
            f"{who}: the network of {checkpoint} cannot take patterns of {size} {unit} "
            f"({str(error).splitlines()[0]}); {remedy}."
        ) from error


def require_size(who: object, checkpoint: Path, shape: tuple[int, int], size: int, crop: int | None, bin: int) -> None:
    """Refuse patterns that crop and bin do not bring to the size of a network, naming numbers that do.

    Args:
        who: Method or file that the line begins with.
        checkpoint: Checkpoint of the network.
        shape: Shape of one pattern, (H, W) pixels.
        size: Edge that the network takes, pixel.
        crop, bin: Central pixels kept first (None: all), then squares of bin x bin pixels summed.

    Raises:
        UserError: The patterns do not become ``size`` x ``size`` pixels.
    """
    edges = shape if crop is None else (crop, crop)
    if all(edge == size * bin for edge in edges) and (crop is None or crop <= min(shape)):
        return
    bins = sorted({1, bin, min(shape) // size} - {0}, key=lambda n: abs(n - bin))
    fitting = " or ".join(f"preprocess.crop={size * n} preprocess.bin={n}" for n in bins if size * n <= min(shape))
    now = f"preprocess.crop={'null' if crop is None else crop} preprocess.bin={bin}"
    remedy = f"set {fitting}" if fitting else f"the patterns are smaller; {TRAIN_AT_THIS_SIZE}"
    raise UserError(
        f"{who}: the network of {checkpoint} takes {size} x {size} pixels, which patterns of {shape[0]} x {shape[1]} "
        f"do not become by {now}: {remedy}"
    )
