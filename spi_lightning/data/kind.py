"""Kind of data: hits, supports or volumes."""

from typing import Final

from spi_lightning.data.one_frame import measure_frame
from spi_lightning.data.scans.single_pattern import measure_scan
from spi_lightning.data.scans.single_volume import SingleVolumeDataModule
from spi_lightning.data.simulated.data_modules import SimulatedVolumeDataModule
from spi_lightning.data.supports import SupportBatches
from spi_lightning.data.volumes import VolumeDataModule
from spi_lightning.errors import UserError

_VOLUMES: Final = (VolumeDataModule, SimulatedVolumeDataModule, SingleVolumeDataModule)


def kind_of_data(made_by: object) -> str:
    """Kind of what a class or function makes.

    Args:
        made_by: Data module, or function that reads one pattern.

    Returns:
        ``supports`` for data modules of densities and supports, ``volumes`` for those of 3D patterns, else ``hits``.

    Raises:
        UserError: A single 2D pattern, of which no methods are compared.
    """
    if made_by is measure_frame:
        raise UserError(
            "data=one_frame is one pattern, of which no methods are compared; give data=hits or data=supports"
        )
    if made_by is measure_scan or (isinstance(made_by, type) and issubclass(made_by, _VOLUMES)):
        return "volumes"
    return "supports" if isinstance(made_by, type) and issubclass(made_by, SupportBatches) else "hits"
