"""Names and units of CXI for the fields distance, pixel_size and photon_energy."""

from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from spi_lightning.fields import DISTANCE, PHOTON_ENERGY, PIXEL_SIZE
from spi_lightning.physics.constants import ELEMENTARY_CHARGE

DETECTOR: Final = "/entry_1/instrument_1/detector_1"
SOURCE: Final = "/entry_1/instrument_1/source_1"
LABELS: Final = "/entry_1/labels_1"
_GEOMETRY: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    DISTANCE: ((f"{DETECTOR}/distance", 1.0),),
    PIXEL_SIZE: ((f"{DETECTOR}/x_pixel_size", 1.0), (f"{DETECTOR}/y_pixel_size", 1.0)),
    PHOTON_ENERGY: ((f"{SOURCE}/energy", ELEMENTARY_CHARGE),),
}


def write_geometry(file: h5py.File, name: str, values: NDArray[np.float64]) -> None:
    """Write (N,) distance, pixel_size (m) or photon_energy (eV) under CXI's names; a scalar if all are equal."""
    for key, factor in _GEOMETRY[name]:
        scaled = values * factor
        if len(scaled) and (scaled == scaled[0]).all():
            file[key] = scaled[0]
        else:
            file.create_dataset(key, data=scaled, fletcher32=len(scaled) > 0 or None)
