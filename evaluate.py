"""Evaluate methods, as ``spi evaluate`` does: python evaluate.py method=[NAME,RUN] data.path=FILE."""

from spi_lightning.apps.spi import run

if __name__ == "__main__":
    run("evaluate")
