"""Folders of an installation: the configuration that it reads, and the caches of its user.

A wheel carries the configuration inside the package. A clone, also one that is installed editable, uses ``conf/`` of
the repository, the only copy there is.
"""

import os
from pathlib import Path
from typing import Final

import platformdirs

_PACKAGE: Final = Path(__file__).parent
_IN_WHEEL: Final = (_PACKAGE / "conf").is_dir()

CONF: Final = _PACKAGE / "conf" if _IN_WHEEL else _PACKAGE.parent / "conf"
"""Folder of the YAML files: one folder a group, one file a choice."""

WEIGHTS: Final = _PACKAGE / "weights"
"""Folder of the weights that the package brings, NAME.safetensors, each with its card NAME.yaml."""

CACHE: Final = platformdirs.user_cache_path("spi_lightning", appauthor=False) if _IN_WHEEL else Path("cache")
"""Folder of simulated sets, features, answers and downloads: the user's cache folder (``XDG_CACHE_HOME`` moves it on
Linux), or ``cache/`` of the working folder for a clone."""


def structures_folder() -> Path:
    """Folder of macromolecular structures where none is named: ``pdb/`` of the folder ``$SPI_DATA``.

    Without that variable a clone takes ``../shared/data/pdb``, and a wheel ``structures/`` of the cache folder.
    """
    data = os.environ.get("SPI_DATA", "" if _IN_WHEEL else "../shared/data")
    return Path(data) / "pdb" if data else CACHE / "structures"
