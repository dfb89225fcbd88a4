"""Batch normalisation by the statistics of the global batch over all processes."""

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Sum(torch.autograd.Function):
    """Sum over processes; the loss of every process depends on it, so its gradient is summed over processes too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def _total(values: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(values))  # type: ignore[no-untyped-call]


class _Shared(_BatchNorm):
    """BatchNorm over all processes: maps (B, C, ...) -> the same, with equal B in every process.

    With one process, and in evaluation, this is torch's own. torch.nn.SyncBatchNorm refuses CPU tensors, so a run on
    two gloo processes could not equal a run on one; this one works with gloo and NCCL.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise maps (B, C, ...) by mean and variance over all processes, and update the running statistics."""
        processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        if not self.training or processes == 1:
            return super().forward(input)
        # Two passes (mean, then squared distances from it): the one-pass form loses half the digits of float32.
        axes, maps = (0, *range(2, input.ndim)), (1, -1, *(1,) * (input.ndim - 2))
        mean = _total(input.mean(dim=axes)) / processes
        centred = input - mean.view(maps)
        variance = _total(centred.square().mean(dim=axes)) / processes
        self._follow(mean.detach(), variance.detach(), processes * input.numel() // input.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias.view(maps), centred, scale.view(maps))

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Update the running mean and the (unbiased) running variance, (C,) each, as torch does."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (values / (values - 1)), momentum)


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """BatchNorm2d over all processes: maps (B, C, H, W)."""


class SharedBatchNorm3d(_Shared, nn.BatchNorm3d):
    """BatchNorm3d over all processes: maps (B, C, Z, Y, X)."""
