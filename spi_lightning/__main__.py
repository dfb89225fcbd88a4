"""The command ``spi`` where it is not on PATH: python -m spi_lightning COMMAND [WORD ...]."""

from spi_lightning.apps.spi import main

if __name__ == "__main__":
    main()
