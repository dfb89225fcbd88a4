"""``python -m benchmarks.volume_network PART [SIZE …] [seeds=N]``; sizes are 32 if none is given, seeds of ``real`` 5.

Parts: ``real``, all methods on the two measured crystals in $SPI_DATA; ``matched``, in the recipe's own voxels;
``coherence``, crystals of known density with blurred patterns; ``halves``, FSC of two halves of their photons;
``simulated``, noise-free particles that no network has seen; ``unseen``, others, that no option was chosen on;
``counts``, a known crystal under Poisson noise; ``limit``, what the true density reaches in supports of given volume;
``transfer``, from a trained network, and ``transfer_simulated``, the same on the particles of ``simulated``; ``speed``,
the time of an epoch. Everything is judged in float64 after the closed-form scale, fitted and held-out voxels apart.
"""

import sys
from collections.abc import Callable

import torch

from benchmarks.volume_network.coherence import coherence
from benchmarks.volume_network.counts import counts
from benchmarks.volume_network.limit import limit
from benchmarks.volume_network.matched import matched
from benchmarks.volume_network.real import halves, real
from benchmarks.volume_network.simulated import simulated, unseen
from benchmarks.volume_network.speed import speed
from benchmarks.volume_network.transfer import transfer, transfer_simulated

PARTS: dict[str, Callable[..., object]] = {
    "real": real,
    "matched": matched,
    "coherence": coherence,
    "halves": halves,
    "simulated": simulated,
    "unseen": unseen,
    "counts": counts,
    "speed": speed,
    "limit": limit,
    "transfer": transfer,
    "transfer_simulated": transfer_simulated,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    parts = [word for word in sys.argv[1:] if word in PARTS]
    if not parts:
        raise SystemExit(f"say which part: {', '.join(PARTS)}")
    configured = [int(word.removeprefix("seeds=")) for word in sys.argv[1:] if word.startswith("seeds=")]
    seeds = configured[0] if configured else None
    for size in [int(word) for word in sys.argv[1:] if word.isdigit()] or [32]:
        for part in parts:
            PARTS[part](size) if seeds is None else PARTS[part](size, seeds)
