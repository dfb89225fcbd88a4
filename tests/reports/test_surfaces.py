"""Meshes of the surfaces that can be rotated, as the page's viewer reads them."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spi_lightning.reports.page import Section, write_page
from spi_lightning.reports.surfaces import MOST_VERTICES, diffraction_surface, object_surface

UNKNOWN = np.full(3, np.nan)


def unpacked(text: str) -> dict[str, Any]:
    """Mesh with vertices (n, 3) ordered x, y, z in its unit, faces (m, 3) and colours (n,)."""
    mesh = json.loads(text)
    low, high = np.array(mesh["low"]), np.array(mesh["high"])
    steps = np.frombuffer(base64.b64decode(mesh["vertices"]), "<u2").reshape(-1, 3)
    kind = "<u4" if len(steps) > 65535 else "<u2"
    faces = np.frombuffer(base64.b64decode(mesh["faces"]), kind).reshape(-1, 3)
    colours = np.frombuffer(base64.b64decode(mesh["colours"]), "u1")
    return mesh | {"vertices": low + steps / 65535 * (high - low), "faces": faces, "colours": colours}


def ball(radius: float, size: int, offset: float = 0.0) -> np.ndarray:
    """Ball of soft edge about n // 2 with a constant phase, (size, size, size) complex."""
    axis = np.arange(size) - size // 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return (1 / (1 + np.exp(distance - radius)) * np.exp(1j * offset)).astype(np.complex64)


@pytest.mark.parametrize("offset", [0.0, 2.0, -3.0])
def test_the_constant_phase_of_a_density_is_removed(offset: float) -> None:
    mesh = unpacked(object_surface(ball(4, 16, offset), UNKNOWN, "density").mesh)
    assert set(mesh["colours"].tolist()) <= {63, 64}  # of 0 to 127, -pi to pi


def test_a_mesh_has_the_size_of_its_ball_along_each_axis_and_is_closed() -> None:
    mesh = unpacked(object_surface(ball(6, 24), np.array([1e-9, 2e-9, 4e-9]), "density").mesh)
    radius = 6 + np.log(1 / 0.3 - 1)  # where the edge is at 30 %, for a centre of 1
    extent = np.ptp(mesh["vertices"], axis=0)
    assert extent == pytest.approx(2 * radius * np.array([4, 2, 1]), rel=0.02) and mesh["names"] == ["x", "y", "z"]
    sides = np.sort(np.concatenate([mesh["faces"][:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    assert (np.unique(sides, axis=0, return_counts=True)[1] == 2).all()


def test_a_large_volume_has_a_mesh_of_limited_size() -> None:
    surface = object_surface(ball(40, 96), UNKNOWN, "density")
    assert len(unpacked(surface.mesh)["vertices"]) <= MOST_VERTICES
    assert len(surface.mesh) < 400_000
    amplitude = np.random.default_rng(0).random((48, 48, 48)).astype(np.float32)  # the roughest of surfaces
    assert len(diffraction_surface(amplitude, UNKNOWN, "noise", 0.97, 5000).mesh) < 200_000


def test_a_density_without_a_surface_is_an_empty_mesh() -> None:
    mesh = unpacked(object_surface(np.zeros((8, 8, 8), np.complex64), UNKNOWN, "nothing").mesh)
    assert len(mesh["vertices"]) == len(mesh["faces"]) == 0


@pytest.mark.skipif(not shutil.which("chromium"), reason="draws in a browser, Chromium")
def test_a_browser_draws_every_triangle(tmp_path: Path) -> None:
    surfaces = [object_surface(ball(5, 16), UNKNOWN, "<ball>"), object_surface(0 * ball(5, 16), UNKNOWN, "nothing")]
    page = write_page(tmp_path / "page.html", "page", "", [Section("Surfaces", surfaces)])
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000", "--dump-dom"]
    command += ["--virtual-time-budget=3000", "--run-all-compositor-stages-before-draw"]
    made = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    assert f'data-triangles="{len(unpacked(surfaces[0].mesh)["faces"])}"' in made and 'data-triangles="0"' in made
