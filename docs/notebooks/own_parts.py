# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # My own network, loss and method
#
# Nothing of spi_lightning is edited: your parts live in a package of yours, here `mylab`, and their settings in
# `mylab/conf`. CONTRIBUTING has seven such recipes.

# %%
import sys
from pathlib import Path

import spi_lightning as spi

Path("mylab/conf/network").mkdir(parents=True, exist_ok=True)
Path("mylab/conf/loss").mkdir(exist_ok=True)
sys.path.insert(0, ".")

# %% [markdown]
# A network: preprocessed photons (B, 1, H, W) go in, logits (B,) come out.

# %%
# %%writefile mylab/one_layer.py
from torch import Tensor, nn


class OneLayer(nn.Module):
    """Single-hit classifier of one convolution: (B, 1, H, W) -> (B,)."""

    def __init__(self, maps: int = 4) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, maps, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(4 * maps, 1)

    def forward(self, pattern: Tensor) -> Tensor:
        return self.head(self.features(pattern)).squeeze(-1)


# %% [markdown]
# A loss: logits and labels (B,) go in, one number for each pattern comes out.

# %%
# %%writefile mylab/focal.py
import torch.nn.functional as F
from torch import Tensor


def focal(logits: Tensor, is_single_hit: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss of logits (B,): cross-entropy times (1 - p)^gamma, (B,). Source: Lin et al. (2017), Eq. 4."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, is_single_hit.to(logits), reduction="none")
    return (1 - (-cross_entropy).exp()) ** gamma * cross_entropy


# %% [markdown]
# Their settings: one file each, under the name that the command line knows them by.

# %%
Path("mylab/conf/network/one_layer.yaml").write_text("_target_: mylab.one_layer.OneLayer\nmaps: 4\n")
Path("mylab/conf/loss/focal.yaml").write_text("_target_: mylab.focal.focal\n_partial_: true\ngamma: 2.0\n")

# %% [markdown]
# Train with both, on few small patterns. Python finds `mylab` if the folder that holds it is on PYTHONPATH.

# %% language="bash"
# export PYTHONPATH=$PWD:$PYTHONPATH
# spi train 'hydra.searchpath=[mylab/conf]' network=one_layer loss=focal \
#     out=one_layer simulate.shape=[32,32] preprocess.bin=1 optimizer.lr=1e-2 trainer.max_steps=100 \
#     data.patterns='{train:384,val:64,test:64}' data.num_workers=0 data.workers=1 tracking=disabled

# %% [markdown]
# A checkpoint may name classes, and so run code: those of another package only if you say that you trust it.

# %%
network = spi.load("one_layer", trust="mylab")
network

# %%
patterns = spi.simulate_patterns("hits", 64, seed=9, shape=[32, 32], samples=32)
network.predict(patterns)[:8].round(2)

# %% [markdown]
# A method: any frozen dataclass that answers a part of a question. Its fields decide the answer.

# %%
# %%writefile mylab/lit_pixels.py
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from spi_lightning.fingerprint import Irrelevant
from spi_lightning.progress import Listener
from spi_lightning.results.hit_answer import HitAnswer, HitPart


@dataclass(frozen=True)
class LitPixels:
    """Rank the frames of a file by the share of pixels that hold ``least`` photons or more."""

    least: int = 1
    name: Irrelevant[str] = "lit_pixels"

    def answer(self, part: HitPart, listener: Listener) -> HitAnswer:
        lit = [(part.patterns.read([frame]) >= self.least).mean() for frame in range(len(part.patterns))]
        score = (rankdata(lit) / len(lit)).astype(np.float32)
        return HitAnswer(score, score)


# %% [markdown]
# The network and the method, side by side with one of the package.

# %%
from mylab import lit_pixels

result = spi.evaluate(patterns, [network, lit_pixels.LitPixels(least=2), "photon_count"])
result

# %%
result.plot()
