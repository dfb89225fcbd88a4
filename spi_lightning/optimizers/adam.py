"""Adam with a squared-norm penalty on convolution kernels; ``optimizer.lr`` is its learning rate."""

from collections.abc import Iterable

from torch import nn, optim


def adam(
    parameters: Iterable[nn.Parameter],
    lr: float = 1e-3,
    kernel_penalty: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
) -> optim.Adam:
    """Adam on loss + kernel_penalty * (sum of squared convolution kernels).

    The gradient of that penalty is 2 * kernel_penalty * W, which is torch's weight decay (the one coupled to Adam, not
    AdamW) of twice the penalty. Kernels are the parameters with more than two axes: biases, dense layers and
    normalisation are not penalised.

    Args:
        parameters: Parameters of one network.
        lr: Learning rate of Adam.
        kernel_penalty: Weight of the penalty, lambda in the paper, 0.01 there.
        betas: Decay rates of the two running means of Adam.

    Source: Han & Li (2017), Eq. 2; Kingma & Ba (2015).
    """
    kernels: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in parameters:
        (kernels if parameter.ndim > 2 else others).append(parameter)
    groups = [{"params": kernels, "weight_decay": 2 * kernel_penalty}, {"params": others, "weight_decay": 0.0}]
    return optim.Adam([group for group in groups if group["params"]], lr=lr, betas=(betas[0], betas[1]))
