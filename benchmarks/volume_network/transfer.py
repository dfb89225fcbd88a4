"""From a trained network: its answer, a short recipe and a short polish, beside the whole recipe and its time.

The checkpoint of ``experiment=wu_supervised`` (32^3, width 16, 3 levels) is named by the variable WU_CHECKPOINT.
"""

import os
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.volume_network.judging import Row, judged, store, summary, table
from benchmarks.volume_network.methods import Found, iterative
from benchmarks.volume_network.real import crystals
from spi_lightning.fields import UserError
from spi_lightning.networks import ComplexEncoderDecoder
from spi_lightning.phasing import hold_out
from spi_lightning.phasing.wrapped_polish import Wrapping, laid_into, polish_wrapped

SHORT = Wrapping(growth=(2.5,), rounds=1, last_steps=40, recipe="40*HIO(0.9) + 40*ER + shrinkwrap(1.0, 0.1)/10")


def trained() -> ComplexEncoderDecoder:
    """The network of the checkpoint, in evaluation mode."""
    path = Path(os.environ.get("WU_CHECKPOINT", ""))
    if not path.is_file():
        raise UserError(f"WU_CHECKPOINT={path}: no such file; name a checkpoint of experiment=wu_supervised.")
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    network = ComplexEncoderDecoder(width=16, levels=3, scale="root")
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in state.items() if "network." in name}
    )
    return network.eval()


@torch.no_grad()
def transferred(network: ComplexEncoderDecoder, pattern: Tensor, mask: Tensor) -> tuple[Found, Found]:
    """The answer as it is, and after the short recipe and polish; one each."""
    began = time.process_time()
    amplitude, phase = network((pattern * mask)[None, None])
    density = torch.polar(amplitude[:, 0], phase[:, 0])
    middle = time.process_time()
    found = polish_wrapped(density, pattern[None], mask[None], SHORT)
    seconds, free = time.process_time() - began, torch.tensor([float(density[0].numel())])
    answer = Found(laid_into(density, pattern.shape), free, middle - began)
    return answer, Found(found.density, found.support.flatten(1).sum(1), seconds)


def transfer(size: int = 32, masks: int = 5) -> Row:
    """On the measured crystals; medians over hold-out masks."""
    network = trained()
    results: dict[str, Row] = {}
    for name, (pattern, mask) in crystals(size).items():
        runs: dict[str, list[Row]] = {}
        for draw in range(masks):
            fitted, held_out = hold_out(mask, 0.05, draw, ndim=3, pairs=False)
            answer, polished = transferred(network, pattern, fitted)
            found = {"answer": answer, "answer_polished": polished, "iterative": iterative(pattern, fitted, 1, draw)}
            for method, one in found.items():
                runs.setdefault(method, []).append(judged(one, pattern, fitted, held_out))
        results[name] = {"masks": masks, "methods": {method: summary(rows) for method, rows in runs.items()}}
        table(f"{name} {size}^3, transfer, {masks} masks", results[name]["methods"])
        store(f"transfer_{size}", results)
    return results
