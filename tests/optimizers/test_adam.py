import torch
from torch import nn

from spi_lightning.networks import ResNet10
from spi_lightning.optimizers import adam


def test_a_step_follows_loss_plus_lambda_times_the_squared_kernels() -> None:
    """The penalty written out in the loss and the one in the optimiser take the same steps."""
    torch.manual_seed(0)
    inside = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 1))
    written_out = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 1))
    written_out.load_state_dict(inside.state_dict())
    penalised, plain = adam(inside.parameters(), kernel_penalty=0.01), torch.optim.Adam(written_out.parameters(), 1e-3)
    for _ in range(5):
        pattern = torch.rand(4, 1, 6, 6)
        penalised.zero_grad()
        inside(pattern).square().mean().backward()
        penalised.step()
        plain.zero_grad()
        kernel = written_out[0].weight
        (written_out(pattern).square().mean() + 0.01 * kernel.square().sum()).backward()
        plain.step()
    for a, b in zip(inside.parameters(), written_out.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_only_convolution_kernels_are_penalised() -> None:
    network = ResNet10()
    penalised, free = adam(network.parameters(), kernel_penalty=0.01).param_groups
    assert penalised["weight_decay"] == 0.02 and free["weight_decay"] == 0
    assert len(penalised["params"]) == 9 and all(p.ndim == 4 for p in penalised["params"])
    assert sum(p.numel() for group in (penalised, free) for p in group["params"]) == sum(
        p.numel() for p in network.parameters()
    )
