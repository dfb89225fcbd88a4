"""Gradient descent of chi square by Adam on the complex density in a box, without a network."""

import torch
from torch import Tensor

from spi_lightning.errors import UserError
from spi_lightning.phasing.polishing.problem import PolishProblem
from spi_lightning.physics.array import crop
from spi_lightning.progress import Progress

from .engine import random_phases

_LOOK = 20  # steps between reports, each of which waits for the device


def random_start(fourier_amplitude: Tensor, mask: Tensor, box: tuple[int, ...], starts: int, seed: int) -> Tensor:
    """Starts (starts, z, y, x) complex in a box, cut from densities of the measured amplitudes and random phases.

    Args:
        fourier_amplitude, mask: (Z, Y, X) float and bool, origin at n // 2.
        box: Edges of the box along z, y, x, voxel.
        starts, seed: Number and seed of the starts, as in random_phases.
    """
    whole = random_phases((fourier_amplitude * mask)[None], 3, starts, seed, real=False)[0]
    return crop(whole, box).clone()


@torch.no_grad()
def descend(
    density: Tensor,
    fourier_amplitude: Tensor,
    mask: Tensor,
    steps: int = 500,
    lr: float = 0.1,
    progress: Progress | None = None,
) -> Tensor:
    """Minimise chi square of densities by Adam with a learning rate that falls along a cosine; two FFTs a step.

    Args:
        density: (B, z, y, x) complex start in a box.
        fourier_amplitude, mask: (B, Z, Y, X) float and bool, origin at n // 2; voxels with False are free.
        steps: Number of steps of Adam.
        lr: Learning rate over the root mean square of the start.
        progress: Called every 20 steps and at the end with the step, ``steps`` and chi square (B,).

    Returns:
        (B, z, y, x) complex, the last iterate.

    Raises:
        UserError: ``steps`` or ``lr`` is not positive.

    Source: Kingma & Ba (2015), Adam; the gradient of chi square (Wu et al., 2021, Eq. 7, term L4) in closed form.
    """
    if steps < 1 or lr <= 0:
        raise UserError(f"steps={steps} and lr={lr:g} must be positive")
    problem = PolishProblem(fourier_amplitude, mask, None, density.abs().dtype)
    scale = density.abs().square().flatten(1).mean(1).sqrt().clamp_min(1e-30)[:, None, None, None]
    values = torch.view_as_real(density / scale).clone().contiguous()
    optimizer = torch.optim.Adam([values], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        spectrum = problem.transform(torch.view_as_complex(values) * scale)
        values.grad = torch.view_as_real(problem.gradient(spectrum, density.shape) * scale)
        optimizer.step()
        schedule.step()
        if progress is not None and (step % _LOOK == 0 or step == steps):
            progress(step, steps, problem.value(spectrum))
    return torch.view_as_complex(values) * scale
