# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # From a Bragg crystal to strain
#
# A rocking scan around one Bragg peak holds the shape of a crystal and the displacement of its atoms along Q. This
# notebook counts the scan of a crystal whose strain is known, phases it, and compares.

# %%
import numpy as np
from scipy import ndimage

import spi_lightning as spi
from spi_lightning.physics.bragg.geometry import BraggGeometry

# %% [markdown]
# The beamline: energy, detector and its arm, and the step of the rocking angle.

# %%
geometry = {
    "photon_energy": 9000.0,
    "distance": 0.8,
    "pixel_size": 55e-6,
    "delta_deg": 32.0,
    "gamma_deg": 12.0,
    "step_deg": 0.008,
}
beamline = BraggGeometry(**geometry)

# %% [markdown]
# Where the voxels of the density lie in the laboratory (z along the beam, y up, x outboard), and Q.

# %%
shape = (48, 48, 48)
steps = beamline.voxel_vectors(shape, (1, 1, 1)).numpy()
q = 2 * np.pi * beamline.scattering_vector().numpy()
position = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), -1) @ steps.T
print(f"|Q| {1e-10 * np.linalg.norm(q):.3f} 1/Å; voxels of {np.linalg.norm(steps, axis=0) * 1e9} nm")

# %% [markdown]
# A crystal of 400 x 400 x 500 nm whose planes are displaced along Q by up to 40 pm, as by a bent lattice.

# %%
edges = np.array([400e-9, 400e-9, 500e-9])
inside = (np.abs(position / edges) < 0.5).all(-1) & (np.abs(position[..., 0] + position[..., 1]) < 300e-9)
along = position @ q / np.linalg.norm(q)
displacement = 40e-12 * (along / 200e-9) ** 2
density = inside * np.exp(-1j * np.linalg.norm(q) * displacement)

# %% [markdown]
# Its rocking scan: the detector counts the square of the Fourier transform, here up to 10,000 photons a voxel.

# %%
wave = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(density)))
counts = np.random.default_rng(0).poisson(1e4 * np.abs(wave) ** 2 / (np.abs(wave) ** 2).max())
counts.shape, counts.sum()

# %% [markdown]
# Make the scan ready: the peak in the middle, hot pixels out, cut around the peak. A path takes the place of the array;
# what the file states need not be given.

# %%
scan = spi.measure_scan(counts, geometry=geometry, size=32, bin=1)
scan

# %%
scan.notes

# %% [markdown]
# Phase it: complex density, first support half of each axis, the recipe of a beamline.

# %%
result = spi.phase(scan, recipe="cohere_S0054", support="box", starts=8, polish_steps=20, progress=False)
result

# %%
result.plot()

# %% [markdown]
# Into the laboratory frame: amplitude, displacement and strain along Q, cubic voxels. (A pattern does not tell a
# crystal from its twin: all maps may stand the other way round, and the displacement has the other sign there.)

# %%
crystal = result.in_laboratory()
crystal

# %%
crystal.plot()

# %% [markdown]
# The known strain is the slope of the displacement along Q: 2 x 40 pm / (200 nm)² times the distance from the centre.
# Both spreads are of what lies below the surface, where phases are firm.

# %%
known = (2 * 40e-12 / 200e-9**2 * along)[ndimage.binary_erosion(inside, iterations=2)]
print(f"known {known.std():.2e}, found {crystal.numbers['strain_rms']:.2e}")
