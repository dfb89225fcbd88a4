"""From a trained network: its answer, a short recipe and a short polish, beside the whole recipe and its time.

The checkpoint of ``experiment=wu_supervised`` (32^3, width 16, 3 levels) is named by the variable WU_CHECKPOINT.
"""

import os
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.volume_network.clock import Clock, ways
from benchmarks.volume_network.judging import Row, judged, store, summary, table
from benchmarks.volume_network.methods import HYBRID, Found, iterative, polished
from benchmarks.volume_network.real import crystals
from benchmarks.volume_network.simulated import outcome, particles_of, pooled
from spi_lightning.errors import UserError
from spi_lightning.networks import ComplexEncoderDecoder
from spi_lightning.phasing import hold_out
from spi_lightning.phasing.polishing.wrapped import Wrapping
from spi_lightning.physics.array import pad

SHORT = Wrapping(growth=(2.5,), rounds=1, last_steps=30, recipe="40*HIO(0.9) + 40*ER + shrinkwrap(1.0, 0.1)/10")


def trained() -> ComplexEncoderDecoder:
    """The network of the checkpoint, in evaluation mode."""
    path = Path(os.environ.get("WU_CHECKPOINT", ""))
    if not path.is_file():
        raise UserError(f"WU_CHECKPOINT={path}: no such file; name a checkpoint of experiment=wu_supervised")
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    network = ComplexEncoderDecoder(width=16, levels=3, scale="root")
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in state.items() if "network." in name}
    )
    return network.eval()


@torch.no_grad()
def answered(network: ComplexEncoderDecoder, pattern: Tensor, mask: Tensor) -> Found:
    """The answer as it is."""
    began = time.process_time()
    amplitude, phase = network((pattern * mask)[None, None])
    density = torch.polar(amplitude[:, 0], phase[:, 0])
    seconds, free = time.process_time() - began, torch.tensor([float(density[0].numel())])
    return Found(pad(density, pattern.shape), free, seconds)


def transfer(size: int = 32, masks: int = 5) -> Row:
    """On the measured crystals; medians over hold-out masks."""
    network = trained()
    results: dict[str, Row] = {}
    for name, (pattern, mask) in crystals(size).items():
        runs: dict[str, list[Row]] = {}
        for draw in range(masks):
            fitted, held_out = hold_out(mask, 0.05, draw, ndim=3, pairs=False)
            answer, recipe = answered(network, pattern, fitted), iterative(pattern, fitted, 1, draw)
            short = polished(answer, pattern, fitted, SHORT)
            found = {"answer": answer, "answer_polished": short, "iterative": recipe}
            for method, one in found.items():
                runs.setdefault(method, []).append(judged(one, pattern, fitted, held_out))
        results[name] = {"masks": masks, "methods": {method: summary(rows) for method, rows in runs.items()}}
        table(f"{name} {size}^3, transfer, {masks} masks", results[name]["methods"])
        store(f"transfer_{size}", results)
    return results


def transfer_simulated(size: int = 32) -> Row:
    """On the noise-free particles of ``simulated``: one run each, as there is no chance in a trained network."""
    network, clocks = trained(), []
    runs: dict[str, list[Row]] = {}
    for pattern, truth in zip(*particles_of(size), strict=True):
        mask, clock = torch.ones_like(pattern, dtype=torch.bool), Clock(1)
        answer = answered(network, pattern.float(), mask)
        for method, one in (("answer", answer), ("answer_polished", polished(answer, pattern, mask, HYBRID, clock))):
            runs.setdefault(method, []).append(outcome(one, pattern, mask, truth))
        clocks.append(clock)
        print(*(f"{runs['answer_polished'][-1][name][0]:.1e}" for name in ("chi_square", "density_error")), flush=True)
    rows = {method: pooled(of_each) for method, of_each in runs.items()}
    rows["answer_polished"]["way"] = ways(clocks)
    for method, row in rows.items():
        print(method, row, flush=True)
    store(f"transfer_simulated_{size}", rows)
    return rows
