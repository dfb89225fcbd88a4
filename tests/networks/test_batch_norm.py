from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from spi_lightning.networks import SharedBatchNorm2d, SharedBatchNorm3d

KINDS: dict[int, tuple[type[_BatchNorm], type[_BatchNorm]]] = {
    2: (nn.BatchNorm2d, SharedBatchNorm2d),
    3: (nn.BatchNorm3d, SharedBatchNorm3d),
}


def maps(axes: int) -> torch.Tensor:
    torch.manual_seed(0)
    values = torch.randn(6, 4, *(5,) * axes, dtype=torch.float64)
    return 3 + values * torch.arange(1, 5).view(-1, *(1,) * axes)


def layer(kind: type[_BatchNorm]) -> _BatchNorm:
    made = kind(4).double()
    nn.init.uniform_(made.weight)
    return made


def half(rank: int, axes: int, folder: Path, state: dict[str, torch.Tensor]) -> None:
    """One of two processes: normalise half of the maps and go back through it."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting_point'}", rank=rank, world_size=2)
    norm, share = layer(KINDS[axes][1]), maps(axes)[3 * rank : 3 * rank + 3].requires_grad_()
    norm.load_state_dict(state)
    found = norm(share)
    (found**3).sum().backward()
    torch.save((found.detach(), share.grad, norm.running_mean, norm.running_var), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("axes", [2, 3])
def test_two_processes_normalise_as_one_forwards_and_backwards(axes: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    norm, whole = layer(KINDS[axes][0]), maps(axes).requires_grad_()
    mp.start_processes(half, (axes, tmp_path, norm.state_dict()), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    found = norm(whole)
    (found**3).sum().backward()
    torch.testing.assert_close(torch.cat([first[0], second[0]]), found)
    torch.testing.assert_close(torch.cat([first[1], second[1]]), whole.grad)
    for share in (first, second):
        torch.testing.assert_close(share[2:], (norm.running_mean, norm.running_var))


@pytest.mark.parametrize("axes", [2, 3])
def test_in_one_process_batch_norm_equals_that_of_torch(axes: int) -> None:
    torch.manual_seed(1)
    own, shared = map(layer, KINDS[axes])
    shared.load_state_dict(own.state_dict())
    assert torch.equal(own(maps(axes)), shared(maps(axes)))
