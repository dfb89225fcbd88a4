# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Train on my detector
#
# A network that selects single hits needs no labelled frames: it is trained on patterns simulated for your beam and
# your detector. This notebook does so for a made-up detector, small enough for half a minute on a laptop.

# %%
import spi_lightning as spi

# %% [markdown]
# The experiment: 32 x 32 (binned) pixels of 1.2 mm at 0.5 m, photons of 1.2 keV, a small beam hole. Ranges are drawn
# from: a network that has seen them forgives a distance that is not quite right.

# %%
detector = {
    "shape": [32, 32],
    "geometry__photon_energy": [1190.0, 1210.0],
    "geometry__distance": [0.499, 0.501],
    "geometry__pixel_size": [1.2e-3, 1.2e-3],
    "bad_pixels__hole": [2.0, 3.0],
    "bad_pixels__gap": [0.0, 0.0],
    "samples": 32,
}

# %% [markdown]
# Look at what is simulated before training on it: do the patterns look like yours?

# %%
examples = spi.simulate_patterns("hits", 12, seed=5, **detector)
examples

# %%
examples.plot()

# %% [markdown]
# Train. The command is that of the terminal, with the same numbers: a small residual network (Han & Li, 2017), on few
# patterns and for few steps. The real thing is `experiment=han_resnet10` with the lines of the detector alone: a
# quarter of an hour or more.

# %% language="bash"
# spi train out=my_detector \
#     simulate.shape=[32,32] simulate.samples=32 simulate.geometry.photon_energy=[1190,1210] \
#     simulate.geometry.distance=[0.499,0.501] simulate.geometry.pixel_size=[1.2e-3,1.2e-3] \
#     simulate.bad_pixels.hole=[2,3] simulate.bad_pixels.gap=[0,0] preprocess.bin=1 \
#     network=resnet10 network.widths=[8,16] network.depths=[3,2] optimizer.lr=1e-2 trainer.max_steps=90 \
#     data.patterns='{train:384,val:64,test:64}' data.num_workers=0 data.workers=1 tracking=disabled

# %% [markdown]
# The run folder holds everything. Its learning curves:

# %%
run = spi.read("my_detector")
run

# %%
run.plot()

# %% [markdown]
# Load the network and ask it about new patterns of the detector. `predict` takes arrays, open files and paths.

# %%
network = spi.load("my_detector")
network

# %%
new = spi.simulate_patterns("hits", 96, seed=77, **detector)
probability = network.predict(new)
probability[:8].round(2), new.labels["is_single_hit"][:8]

# %% [markdown]
# Beside a method without training, on the same patterns.

# %%
result = spi.evaluate(new, [network, "photon_count"])
result.plot()
