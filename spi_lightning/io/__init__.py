"""One module per file format: past this package nobody asks where a pattern came from."""

from spi_lightning.io.cxi_writer import CxiWriter

__all__ = ["CxiWriter"]
