"""Folders of an installation: those of this clone, and those of a wheel, whose package holds conf/."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spi_lightning import locations

PACKAGE = Path(locations.__file__).parent
SHOW = "from spi_lightning import locations as l; print(l.CONF, l.CACHE, l.structures_folder(), sep='\\n')"


def test_a_clone_has_its_own_conf_and_the_cache_of_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPI_DATA", raising=False)
    assert PACKAGE.parent / "conf" == locations.CONF and (locations.CONF / "train.yaml").is_file()
    assert Path("cache") == locations.CACHE and locations.structures_folder() == Path("../shared/data/pdb")
    monkeypatch.setenv("SPI_DATA", "/data")
    assert locations.structures_folder() == Path("/data/pdb")


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME")
def test_a_wheel_has_conf_inside_and_the_cache_of_its_user(tmp_path: Path) -> None:
    package = tmp_path / "site/spi_lightning"
    (package / "conf").mkdir(parents=True)
    for name in ("__init__.py", "locations.py"):
        shutil.copy(PACKAGE / name, package)
    command, surroundings = [sys.executable, "-c", SHOW], {"PYTHONPATH": str(package.parent), "XDG_CACHE_HOME": "/user"}
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        str(package / "conf"),
        "/user/spi_lightning",
        "/user/spi_lightning/structures",
    ]
