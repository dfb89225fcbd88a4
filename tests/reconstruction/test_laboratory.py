"""A strained crystal, measured in the skewed frame of a rocking scan, phased, and seen in the laboratory."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.apps import spi
from spi_lightning.io.volumes.cxi_image import read_cxi_image
from spi_lightning.io.volumes.laboratory_file import read_laboratory
from spi_lightning.io.volumes.vti import read_vti, read_vti_notes
from spi_lightning.physics.bragg.geometry import BraggGeometry
from spi_lightning.physics.bragg.laboratory import LaboratoryCrystal, firm
from spi_lightning.physics.fourier import fourier

N, BEND = 32, 2500.0  # 1/m: strain along Q changes by so much per length along Q
ARM = BraggGeometry(9000.0, 0.5, 55e-6, 32.174, 12.6346, -0.01, beam_row=-284.0, beam_column=616.0)
GEOMETRY = ARM.with_peak(16.0, 16.0)  # of the crystal: it diffracts four degrees off the arm's axis
CONFIGURED = ["photon_energy=9000", "distance=0.5", "pixel_size=55e-6", "delta_deg=32.174", "gamma_deg=12.6346"]
BEAM = ["beam_row=-284", "beam_column=616"]


def places() -> torch.Tensor:
    """Laboratory z, y, x of every voxel of the density, m."""
    index = torch.stack(torch.meshgrid(*[torch.arange(N) - N // 2] * 3, indexing="ij"), dim=-1).double()
    return index @ GEOMETRY.voxel_vectors((N, N, N)).T


def along_q(position: torch.Tensor) -> torch.Tensor:
    q = GEOMETRY.scattering_vector()
    along: torch.Tensor = position @ (q / q.norm())
    return along


def crystal() -> torch.Tensor:
    """A box along the laboratory's axes without one of its corners, its planes bent along Q."""
    position = places()
    inside = (position.abs() < torch.tensor([190e-9, 210e-9, 170e-9])).all(-1) & (position.sum(-1) < 300e-9)
    big_q = 2 * torch.pi * GEOMETRY.scattering_vector().norm()
    return torch.polar(inside.double(), -big_q * BEND * along_q(position).square() / 2)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    photons = fourier(crystal(), 3).abs().square()
    photons = torch.poisson(photons * 1e6 / photons.max(), generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "inside.npy", crystal().abs().numpy() > 0.5)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["counts"], file["theta_deg"] = photons.numpy().astype(np.uint32), 0.3 - 0.01 * np.arange(N)
    return tmp_path / "scan.h5"


def run(monkeypatch: pytest.MonkeyPatch, scan: Path, *words: str) -> Path:
    folder = scan.parent / "run"
    known = f"support={scan.parent / 'inside.npy'}"
    usual = ["data=one_scan", f"data.path={scan}", "data.preparation.size=32", "data.preparation.bin=1", known]
    recipe = [
        "phasing.recipe=60*HIO(0.9) + 60*ER",
        "phasing.constraint=complex",
        "starts=3",
        "held_out=0",
        "polish_steps=0",
    ]
    monkeypatch.setattr(sys, "argv", ["phase", f"hydra.run.dir={folder}", *usual, *recipe, *words])
    spi.run("phase")
    return folder


def test_the_strain_of_a_bent_crystal_comes_back(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(
        monkeypatch, scan, *(f"data.geometry.{word}" for word in [*CONFIGURED, *BEAM]), "data.preparation.threshold=0"
    )
    found, _ = read_laboratory(folder / "laboratory.npz")
    assert float(found.Q.norm()) == pytest.approx(2 * torch.pi * float(GEOMETRY.scattering_vector().norm()), rel=1e-3)
    axes = [(torch.arange(n) - n // 2) * found.voxel_size for n in found.support.shape]
    position = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).double()[found.support]
    s, strain = along_q(position), found.strain[found.support].double()
    slope = float(((s - s.mean()) * (strain - strain.mean())).sum() / (s - s.mean()).square().sum())
    assert slope == pytest.approx(-BEND, rel=0.1)  # of the canonical twin, whose phase curves upward
    left = found.displacement[found.support].double() + BEND * s.square() / 2
    design = torch.cat(
        [position / 1e-7, torch.ones(len(position), 1)], dim=1
    ).double()  # a shift leaves ramp and offset open
    left = left - design @ torch.linalg.lstsq(design, left[:, None]).solution[:, 0]
    assert float(left.square().mean().sqrt()) < 0.1 * float(found.displacement[found.support].double().std())
    extent = position.amax(0) - position.amin(0) + found.voxel_size
    assert np.allclose(extent, [380e-9, 420e-9, 340e-9], atol=1.5 * found.voxel_size)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 0.3 < metrics["laboratory/firm_share"] <= 1
    whole = float(strain.square().mean().sqrt())
    assert 0.5 * whole < metrics["laboratory/strain_rms"] < whole


def test_files_and_page_name_frame_units_and_geometry(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(monkeypatch, scan, *(f"data.geometry.{word}" for word in CONFIGURED))
    crystal_found, _ = read_laboratory(folder / "laboratory.npz")
    outside = ~crystal_found.support
    assert float(crystal_found.phase[outside].abs().max()) == float(crystal_found.strain[outside].abs().max()) == 0
    assert float(crystal_found.Q.norm()) == pytest.approx(2.6911e10, rel=1e-3)
    image = read_cxi_image(folder / "laboratory.cxi")
    assert image.units["displacement"] == "m" and image.units["phase"] == "rad"
    assert "downstream" in image.notes["frame"] and image.pixel_size is not None
    assert image.pixel_size == pytest.approx([crystal_found.voxel_size] * 3)
    maps, spacing = read_vti(folder / "laboratory.vti")
    assert {"amplitude", "phase_rad", "displacement_pm", "strain", "support"} == set(maps)
    assert spacing[0] == pytest.approx(1e9 * crystal_found.voxel_size)
    assert "laboratory" in read_vti_notes(folder / "laboratory.vti")["frame"]
    assert "not perpendicular" in read_cxi_image(folder / "result.cxi").notes["frame"]
    page = (folder / "report.html").read_text()
    assert "Displacement and strain along Q" in page and "9000 eV" in page and "-0.01° per frame" in page
    assert "unconfirmed, so no numbers are given: too few starts" in page  # 3
    assert "where the detector arm points" in page and "data.geometry.beam_row" in page


def test_without_geometry_one_line_says_what_is_left_out(
    scan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(monkeypatch, scan, "data.geometry.photon_energy=9000")
    assert not (folder / "laboratory.npz").exists() and (folder / "result.cxi").exists()
    messages = [line for line in capsys.readouterr().out.splitlines() if "strain" in line]
    assert len(messages) == 1 and "left out" in messages[0]
    assert all(f"data.geometry.{name}" in messages[0] for name in ("distance", "pixel_size", "delta_deg", "gamma_deg"))
    assert "photon_energy" not in messages[0] and "step_deg" not in messages[0]


def test_weak_voxels_of_the_surface_count_for_no_spread() -> None:
    support = torch.zeros(9, 9, 9, dtype=torch.bool)
    support[1:8, 1:8, 1:8] = True
    inner = torch.zeros_like(support)
    inner[2:7, 2:7, 2:7] = True
    amplitude, one = torch.where(inner, 1.0, 0.2) * support, torch.where(inner, 1e-12, 1e-10) * support
    crystal = LaboratoryCrystal(amplitude, one, one, one, support, 1e-8, torch.tensor([0.0, 0.0, 1.0]), {})
    assert torch.equal(firm(crystal), inner)
    numbers = crystal.numbers
    assert numbers["displacement_rms_pm"] == pytest.approx(1.0) and numbers["strain_rms"] == pytest.approx(1e-12)
