# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Single hits in my own file
#
# From a file of diffraction patterns to a list of single hits, and how far the list can be trusted. Here the file is
# simulated; put the path of yours in its place.

# %%
import h5py
import numpy as np

import spi_lightning as spi

# %% [markdown]
# A file to work on: 160 patterns of a virus, with clusters, droplets and dirt among them. Somebody has looked at the
# first half of the frames: 1 is a single hit, 0 is any other, -1 is a frame nobody has looked at.

# %%
simulated = spi.simulate_patterns("hits", 160, seed=1, shape=[64, 64], samples=32)
frames, truth = range(len(simulated)), simulated.labels["is_single_hit"]
with h5py.File("my_run.h5", "w") as file:
    file["counts"] = simulated.read(frames).astype(np.uint16)
    file["good_pixels"] = simulated.read_mask(frames)
    file["looked_at"] = np.where(np.arange(len(truth)) < 80, truth, -1)

# %% [markdown]
# Open it: any format that facilities write, CXI, EMC and HDF5 among them. Data sets with usual names are found, others
# are named. (Arrays of photons serve as well: all that follows takes them in place of the file.)

# %%
mine = spi.open_patterns("my_run.h5", photons="counts", mask="good_pixels", mask_convention="good", label="looked_at")
mine

# %% [markdown]
# Some patterns. Masked pixels are grey.

# %%
mine.plot()

# %% [markdown]
# Three methods that need no simulation: a random forest and the graph of nearest neighbours (Shi et al., 2019) learn
# from twenty of the frames with a label, and the number of photons from none.

# %%
result = spi.evaluate(mine, ["random_forest", "graph_cut", "photon_count"])
result

# %% [markdown]
# The curves are of the frames with a label that no method has learnt from; the band is what so few of them leave open.

# %%
result.plot()

# %% [markdown]
# Notes say what the program chose and what to doubt.

# %%
result.notes

# %% [markdown]
# The answer: a probability for each frame, a decision, and the frames where the method would rather not decide.

# %%
answer = result.primary
selected = np.flatnonzero(answer.decision.astype(bool) & ~answer.abstain)
print(f"{len(selected)} single hits, {answer.abstain.sum()} uncertain frames; the first ones: {selected[:10]}")

# %% [markdown]
# Nobody has looked at the second half of the frames, but the simulation knows what they are.

# %%
certain = ~answer.abstain[80:]
right = (answer.decision == truth)[80:][certain].mean()
print(f"of the {certain.sum()} certain frames {right:.0%} are right")

# %% [markdown]
# The most probable single hits, for a look.

# %%
mine.plot(frames=np.argsort(answer.probability)[::-1][:12].tolist())
