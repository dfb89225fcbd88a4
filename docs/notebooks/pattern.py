# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Phase a 2D pattern
#
# From the photons of one pattern to the density of the particle, and the resolution to which that can be believed.

# %%
import numpy as np

import spi_lightning as spi

# %% [markdown]
# A particle of two discs and a bar, and its pattern: a hundred thousand photons on 96 x 96 pixels, the beam stopped in
# the centre. Put an array of yours in its place.

# %%
row, column = np.indices((96, 96)) - 48
particle = 1.0 * (np.hypot(row + 4, column + 5) < 7) + 0.7 * (np.hypot(row - 6, column - 6) < 5)
particle += 0.5 * ((np.abs(row) < 2) & (np.abs(column) < 12))
intensity = np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(particle)))) ** 2
photons = np.random.default_rng(0).poisson(intensity * 1e6 / intensity.sum())
mask = np.hypot(row, column) > 1.5

# %% [markdown]
# With the geometry of the beamline, lengths are in metres.

# %%
geometry = {"photon_energy": 1200.0, "distance": 0.5, "pixel_size": 75e-6}

# %% [markdown]
# Twenty starts from random phases, in a support that the autocorrelation gives and shrink-wrap tightens. Starts that
# agree make the mean density.

# %%
result = spi.phase(
    photons, mask, beam_centre=(48, 48), geometry=geometry, support="triple_intersection", progress=False
)
result

# %%
result.plot()

# %% [markdown]
# What to doubt, and what the program chose.

# %%
result.notes

# %% [markdown]
# All numbers, as metrics.json of a command holds them.

# %%
result.metrics

# %% [markdown]
# Half of the photons against the other half: the strictest test of resolution.

# %%
halves = spi.phase(
    photons,
    mask,
    beam_centre=(48, 48),
    geometry=geometry,
    support="triple_intersection",
    halves=True,
    starts=8,
    recipe="50*ER + 8*(80*HIO(0.9) + 20*ER) + shrinkwrap(2.0, 0.1)/20",
    progress=False,
)
halves.metrics.get("fsc_half_bit/resolution_nm", "above half a bit up to the edge of the data")

# %% [markdown]
# The density is an array for any other program; its centre of mass is in the middle, and of the two twins it is
# the canonical one (concepts, Twins), which need not be that of the particle.

# %%
density = result.density
density.shape, density.dtype, 1e9 * result.pixel

# %% [markdown]
# The support alone, by four methods that need no phasing.

# %%
found = {
    method: spi.find_support(photons, mask, method=method)
    for method in ("autocorrelation_support", "double_intersection", "triple_intersection")
}
{method: int(support.sum()) for method, support in found.items()}, int((particle > 0).sum())
