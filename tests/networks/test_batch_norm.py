from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from spi_lightning.networks import SharedBatchNorm2d


def maps() -> torch.Tensor:
    torch.manual_seed(0)
    return 3 + torch.randn(6, 4, 5, 5, dtype=torch.float64) * torch.arange(1, 5)[:, None, None]


def layer(kind: type[nn.BatchNorm2d]) -> nn.BatchNorm2d:
    made = kind(4).double()
    nn.init.uniform_(made.weight)
    return made


def half(rank: int, folder: Path, state: dict[str, torch.Tensor]) -> None:
    """One of two processes: normalise half of the maps and go back through it."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting_point'}", rank=rank, world_size=2)
    norm, share = layer(SharedBatchNorm2d), maps()[3 * rank : 3 * rank + 3].requires_grad_()
    norm.load_state_dict(state)
    seen = norm(share)
    (seen**3).sum().backward()
    torch.save((seen.detach(), share.grad, norm.running_mean, norm.running_var), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_normalise_as_one_forwards_and_backwards(tmp_path: Path) -> None:
    torch.manual_seed(1)
    norm, whole = layer(nn.BatchNorm2d), maps().requires_grad_()
    mp.start_processes(half, (tmp_path, norm.state_dict()), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    seen = norm(whole)
    (seen**3).sum().backward()
    torch.testing.assert_close(torch.cat([first[0], second[0]]), seen)
    torch.testing.assert_close(torch.cat([first[1], second[1]]), whole.grad)
    for share in (first, second):
        torch.testing.assert_close(share[2:], (norm.running_mean, norm.running_var))


def test_alone_it_is_torchs_own() -> None:
    torch.manual_seed(1)
    own, shared = layer(nn.BatchNorm2d), layer(SharedBatchNorm2d)
    shared.load_state_dict(own.state_dict())
    assert torch.equal(own(maps()), shared(maps()))
