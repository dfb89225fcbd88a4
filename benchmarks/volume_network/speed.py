"""What an epoch costs beside its bare convolutions and transforms, and an iteration of the recipe beside its FFTs."""

import resource
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from benchmarks.volume_network.judging import AXES, Row, store
from spi_lightning.losses import FourierLoss
from spi_lightning.networks import ComplexEncoderDecoder, Members
from spi_lightning.phasing import phase
from spi_lightning.phasing.polishing.polish import polish
from spi_lightning.tasks.refining.refiner import Refiner


def speed(size: int = 32, members: Sequence[int] = (1, 4), steps: int = 10) -> Row:
    """CPU milliseconds per member: an epoch, the network's passes, the FFT pair, a step of the polish, an iteration."""
    box, rows = (size // 2,) * 3, {}
    pattern = torch.rand(1, 1, size, size, size) + 0.1
    for count in members:
        network = Members(ComplexEncoderDecoder(16, 3, box, "bounded", norm="none", source="latent"), count)
        whole = pattern.expand(count, *pattern.shape[1:])
        adam = torch.optim.Adam(network.parameters(), lr=3e-3)
        refiner = Refiner(network, FourierLoss(log_chi_square=1.0), adam, None, whole, whole > 0, 10 * steps)
        density = torch.randn(count, *box, dtype=torch.complex64, requires_grad=True)

        def passes(network: Members = network, whole: Tensor = whole) -> None:
            amplitude, angle = network(whole)
            (amplitude.sum() + angle.sum()).backward()

        def transforms(density: Tensor = density) -> None:
            torch.fft.fftn(density, s=(size,) * 3, dim=AXES).real.sum().backward()

        def polish_steps(widths: Tensor | None = None, density: Tensor = density, whole: Tensor = whole) -> None:
            polish(density.detach(), whole[:, 0], whole[:, 0] > 0, steps, point_spread=widths)

        blurred_steps = partial(polish_steps, torch.full((count, 3), 0.3))

        row = {"epoch": spent(partial(refiner.advance, 1), steps), "network": spent(passes, steps)}
        row |= {"fft_pair": spent(transforms, steps), "polish_step": spent(polish_steps, 1) / steps}
        row["blurred_polish_step"] = spent(blurred_steps, 1) / steps
        row = {name: 1e3 * value / count for name, value in row.items()}
        row["epoch_over_floor"] = row["epoch"] / (row["network"] + row["fft_pair"])
        row["fft_share_of_epoch"] = row["fft_pair"] / row["epoch"]
        rows[str(count)] = row
        print(count, {name: round(value, 2) for name, value in row.items()}, flush=True)
    rows["recipe"] = iteration(pattern[0], steps=50)
    print("recipe", rows["recipe"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"ms_per_member": rows, "box": list(box), "threads": torch.get_num_threads(), "peak_memory_mib": peak}
    store(f"speed_{size}", result)
    return result


def iteration(pattern: Tensor, steps: int) -> Row:
    """CPU milliseconds of one iteration of ER and HIO (complex, with shrink-wrap) and of its pair of FFTs."""
    half = pattern[0] > 2
    half[tuple(slice(n // 4, n // 4 + n // 2) for n in half.shape)] = True
    recipe = f"{steps // 2}*HIO(0.9) + {steps // 2}*ER + shrinkwrap(1.0, 0.1)/10"
    array = torch.randn(1, *pattern.shape[1:], dtype=torch.complex64)

    def pair() -> None:
        torch.fft.ifftn(torch.fft.fftn(array, dim=AXES), dim=AXES)

    def phased() -> None:
        phase(pattern, None, recipe, "complex", support=half, least_oversampling=1.0)

    one, transforms = 1e3 * spent(phased, 1) / steps, 1e3 * spent(pair, steps)
    return {"iteration": one, "fft_pair": transforms, "iteration_over_fft_pair": one / transforms}


def spent(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one call, the fastest of three turns, after one to warm up."""
    work()
    turns = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(times):
            work()
        turns.append((time.process_time() - began) / times)
    return min(turns)
