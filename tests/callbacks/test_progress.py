"""What the bar says of a training that ends by steps."""

from types import SimpleNamespace
from typing import Any

import pytest

from spi_lightning.callbacks import Progress


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "said"),
    [(-1, 400, "Epoch 12, step 30 of 400"), (None, -1, "Epoch 12"), (20, -1, "Epoch 12/19")],
)
def test_no_epoch_of_minus_two(max_epochs: int | None, max_steps: int, said: str) -> None:
    bar: Any = Progress()
    bar._trainer = SimpleNamespace(max_epochs=max_epochs, max_steps=max_steps, global_step=30)
    assert bar._get_train_description(12).strip() == said
