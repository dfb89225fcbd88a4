"""Machine learning for X-ray single-particle imaging and coherent diffraction imaging.

Rows of the package, each importing only from lower ones: apps > callbacks, methods > tasks, reports, tracking >
data, metrics > simulate, io, networks, losses, optimizers, schedules, baselines > physics, distributed > fields.
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
