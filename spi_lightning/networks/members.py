"""Ensemble of networks of one architecture with individual weights, run as one."""

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

_DOT = "|"  # in names of parameters, where a dot is not allowed


class Members(nn.Module):
    """Ensemble of independent copies of a network, each applied to its own pattern in one pass.

    All weights are stacked, (count, ...), so that one step of an optimiser that treats numbers one by one (Adam, SGD)
    moves every member as if it were alone. On the CPU the stacked convolutions are several times faster than the same
    ones one after the other; on a GPU one launch serves all.

    Args:
        network: Network whose architecture is copied. Normalisation layers, if any, use the statistics of the batch.
        count: Number of ensemble members.
        seed: Member i has the weights that ``network.reset_parameters()`` draws after seed + i.
        same: Whether every member starts with the weights of ``network`` instead.
    """

    def __init__(self, network: nn.Module, count: int, seed: int = 0, same: bool = False) -> None:
        super().__init__()
        skeleton = copy.deepcopy(network)
        for module in skeleton.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.track_running_stats, module.running_mean, module.running_var = False, None, None
                module.num_batches_tracked = None
        drawn = []
        with torch.random.fork_rng(devices=[]):
            for member in range(count):
                if not same:
                    torch.manual_seed(seed + member)
                    skeleton.reset_parameters()  # type: ignore[operator]
                drawn.append({name: value.detach().clone() for name, value in skeleton.named_parameters()})
        self.count = count
        self._skeleton = (skeleton,)  # in a tuple, so that its weights are not counted among those here
        self.weights = nn.ParameterDict(
            {name.replace(".", _DOT): nn.Parameter(torch.stack([one[name] for one in drawn])) for name in drawn[0]}
        )

    def forward(self, fourier_amplitude: Tensor) -> tuple[Tensor, Tensor]:
        """Patterns (count, 1, Z, Y, X), one per member -> amplitude and phase of each member, (count, 1, ...) each."""
        weights = {name.replace(_DOT, "."): value for name, value in self.weights.items()}

        def answer(own: dict[str, Tensor], pattern: Tensor) -> tuple[Tensor, Tensor]:
            first, second = functional_call(self._skeleton[0], own, (pattern[None],))
            return first[0], second[0]

        return vmap(answer)(weights, fourier_amplitude)
