"""Machine learning for X-ray single-particle imaging and coherent diffraction imaging.

Sub-packages, each importing only from those before it: errors, fields, files, fingerprint, progress and the rest of the
ground floor < physics, distributed < io < simulate < networks, losses, optimizers, schedules, settings < phasing,
baselines < metrics < data < results < reports < tasks, tracking, callbacks < methods < reconstruction, orientation <
evaluation < apps. tests/test_layers.py holds them.
"""

import os
import sys

# Threads that spin while they wait make training many times slower once cores are shared with other processes.
# OpenMP reads this when torch is first imported; what the user has set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Raw files of an HDF5 data set lie beside its file and not where the program runs; HDF5 reads this when it is loaded.
if "h5py" not in sys.modules:
    os.environ["HDF5_EXTFILE_PREFIX"] = "${ORIGIN}"

__version__ = "0.1.0"
