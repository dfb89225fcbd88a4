import base64
import json

import numpy as np
import pytest

from spi_lightning.reports.surfaces import object_surface


@pytest.mark.parametrize("offset", [0.0, 2.0, -3.0])
def test_the_constant_phase_of_a_density_is_removed(offset: float) -> None:
    density = np.zeros((12, 12, 12), dtype=np.complex64)
    density[3:9, 3:9, 3:9] = np.exp(1j * offset)
    surface = object_surface(density, np.full(3, np.nan), "density")
    colours = json.loads(surface.figure)["data"][0]["intensity"]
    if isinstance(colours, dict):  # packed by plotly
        colours = np.frombuffer(base64.b64decode(colours["bdata"]), dtype=colours["dtype"])
    assert np.abs(colours).max() < 1e-5
