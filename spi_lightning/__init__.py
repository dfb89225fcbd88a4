"""Machine learning for X-ray single-particle imaging and coherent diffraction imaging.

Rows of the package, each importing only from lower ones: apps > callbacks, methods > tasks, reports, tracking >
data, metrics > simulate, io, networks, losses, optimizers, schedules > physics, distributed > fields.
"""

__version__ = "0.1.0"
