"""spi compare-densities on files and run folders made here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spi_lightning.io.volumes.mrc import write_mrc
from spi_lightning.io.volumes.npz import write_npz
from spi_lightning.physics.array import pad
from tests.apps.in_process import status
from tests.reconstruction.merged_file import body, write_merged
from tests.reports.again import require_same_page


def test_files_of_two_formats_are_turned_onto_one_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    density = pad(body(15), [24] * 3)
    write_mrc(tmp_path / "a.mrc", density.numpy(), 2e-9)
    write_npz(tmp_path / "b.npz", {"density": -torch.rot90(density, 1, (1, 2)).numpy(), "voxel_m": np.array(2e-9)})
    run = tmp_path / "run"
    assert status("compare-densities", str(tmp_path / "a.mrc"), str(tmp_path / "b.npz"), "mask=soft", f"out={run}") == 0
    numbers = json.loads((run / "metrics.json").read_text())
    assert numbers["overlap"] > 0.98 and numbers["sign"] == -1 and abs(numbers["angle"] - 90) < 1
    printed = capsys.readouterr().out
    assert "rotated by 90" in printed and "its contrast inverted" in printed and "nm" in printed
    page = (run / "report.html").read_text()
    assert "Full period 1 / q" in page and "van Heel &amp; Schatz" in page and "Chen et al. 2013" in page
    require_same_page(run)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.npy"], "1 density is too few"),
        (["a.npy", "absent.npy"], "absent.npy: there is no such file"),
        (["a.npy", "b.npy"], "does not say its voxel size"),
        (["a.npy", "output_001.h5"], "phase it first"),
        (["a.npy", "emc"], "holds a merged intensity, not a density"),
        (["a.npy", "a.npy", "align=turn"], "align=turn"),
        (["a.npy", "a.npy", "mask=absent.npy", "align=none"], "mask=absent.npy"),
        (["a.npy", "a.npy", "voxel_size=[1,x]"], "voxel_size"),
    ],
)
def test_mistakes_get_one_line_and_leave_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", pad(body(15), [24] * 3).numpy())
    np.save("b.npy", body(15).numpy())
    write_merged(Path("output_001.h5"), body(15))
    write_merged(Path("emc/data/output_001.h5"), body(15))
    assert status("compare-densities", *words, "out=run") == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1] and not Path("run").exists()
