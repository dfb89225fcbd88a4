"""Networks and losses that this package does not bring: their errors are mistakes of the user, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.settings.signatures import PACKAGE

_ERRORS: Final = (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError)


@contextmanager
def errors_of(group: str, part: Any, *inputs: Tensor) -> Iterator[None]:
    """Context in which an error of a part from elsewhere is a UserError that names it and what it was given.

    Args:
        group: Group of settings of the part, ``network`` or ``loss``.
        part: Module or function that is called.
        inputs: Tensors that it is called with.
    """
    try:
        yield
    except _ERRORS as error:
        owner = getattr(part, "func", part)
        owner = owner if hasattr(owner, "__qualname__") else type(owner)
        name = f"{owner.__module__}.{owner.__qualname__}"
        if isinstance(error, UserError | torch.OutOfMemoryError) or name.startswith(PACKAGE):
            raise
        shapes = ", ".join(str(tuple(each.shape)) for each in inputs)
        why = " ".join(str(error).split())
        raise UserError(f"{group}: {name} fails on {shapes}: {type(error).__name__}: {why}") from error


def require_logits(network: Any, logits: Any, count: int, classes: int) -> Tensor:
    """Logits (B,) of one class, (B, classes) of more, as a network answered them; UserError for another shape.

    Args:
        network: Network that answered, for the message.
        logits: Its answer, a last axis of one left out.
        count: Number of patterns B, by shape: len of a tensor would fix it in an exported graph.
        classes: Number of classes.
    """
    wanted = (count,) if classes == 1 else (count, classes)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != wanted:
        given = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"{type(logits).__name__}"
        raise UserError(
            f"network: {type(network).__name__} answers {count} patterns with {given}; give logits of shape {wanted}"
        )
    return logits
