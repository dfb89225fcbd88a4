from types import SimpleNamespace

import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import nn

from spi_lightning.callbacks import RecalibrateBatchNorm


class Network(nn.Module):
    """Dropout in front of a batch normalisation."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, batch) -> torch.Tensor:
        return self.norm(self.dropout(batch["photons"]))


def trainer(batches, stage=TrainerFn.FITTING) -> SimpleNamespace:
    return SimpleNamespace(
        world_size=1,
        global_rank=0,
        state=SimpleNamespace(fn=stage),
        datamodule=SimpleNamespace(statistics_batches=lambda: iter(batches)),
    )


def test_statistics_are_those_of_training_patterns_without_dropout() -> None:
    batches = [{"photons": 3 + 2 * torch.randn(8, 2, 16, 16)} for _ in range(5)]
    network = Network().train()
    for batch in batches:
        network(batch)
    network.eval()
    RecalibrateBatchNorm(batches=3).on_validation_start(trainer(batches), network)
    used = torch.stack([batch["photons"] for batch in batches[:3]])
    torch.testing.assert_close(network.norm.running_mean, used.mean((0, 1, 3, 4)))
    torch.testing.assert_close(network.norm.running_var, used.var((1, 3, 4)).mean(0))
    assert network.norm.momentum == 0.1
    assert not network.norm.training


def test_evaluation_alone_leaves_the_statistics() -> None:
    network = Network().eval()
    before = network.norm.running_var.clone()
    batches = [{"photons": 5 * torch.randn(8, 2, 4, 4)}]
    RecalibrateBatchNorm().on_validation_start(trainer(batches, TrainerFn.VALIDATING), network)
    assert torch.equal(network.norm.running_var, before)
