from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from spi_lightning.data.one_frame import measure_frame
from spi_lightning.errors import UserError
from spi_lightning.io.scans.rocking_evidence import has_fringes, neighbours_alike, rises_and_falls


def image(size: int = 32) -> np.ndarray:
    """Intensity of a flat box."""
    y, x = np.meshgrid(*(np.arange(size) - size // 2,) * 2, indexing="ij")
    return 2000 * np.sinc(y / 8) ** 2 * np.sinc(x / 6) ** 2


def scan(frames: int = 24) -> np.ndarray:
    profile = 1 / (1 + ((np.arange(frames) - frames / 2) / 2) ** 4) + 0.01
    return np.random.default_rng(0).poisson(image() * profile[:, None, None]).astype(np.uint16)


def hits(frames: int = 24) -> np.ndarray:
    """Independent frames of one object, as bright as they please."""
    generator = np.random.default_rng(1)
    return generator.poisson(image() * generator.uniform(0.2, 1, (frames, 1, 1))).astype(np.uint16)


def plain(path: Path, counts: np.ndarray, **more: object) -> str:
    with h5py.File(path, "w") as file:
        file["counts"] = counts
        for name, value in more.items():
            file[name] = value
    return str(path)


def test_a_scan_with_angles_is_refused_unless_a_frame_is_named(tmp_path: Path) -> None:
    path = plain(tmp_path / "a.h5", scan(), theta_deg=0.2 + 0.01 * np.arange(24))
    with pytest.raises(UserError, match=r"looks like a rocking scan .*theta_deg.* data=one_scan"):
        measure_frame(path)
    assert any("looks like a rocking scan" in str(note) for note in measure_frame(path, frame=12).notes)


def test_an_arm_at_a_bragg_angle_tells_of_a_scan(tmp_path: Path) -> None:
    assert measure_frame(plain(tmp_path / "a.h5", scan()[8:16])).mask.any()
    path = plain(tmp_path / "b.h5", scan()[8:16])
    with h5py.File(path, "a") as file:
        file.attrs.update({"delta_deg": 32.0, "gamma_deg": 12.0})
    with pytest.raises(UserError, match="arm at a Bragg angle"):
        measure_frame(path)


def test_cxi_and_nexus_are_evidence_too(tmp_path: Path) -> None:
    angles = 0.3 - 0.01 * np.arange(8)
    with h5py.File(tmp_path / "a.cxi", "w") as file:
        file["cxi_version"], file["entry_1/sample_1/geometry_1/angle"] = 150, angles
        file["entry_1/instrument_1/detector_1/data"] = scan()[8:16]
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry/data/data"], file["entry/data/omega"] = scan()[8:16], angles
        file["entry/data"].attrs["axes"] = np.array(["omega", ".", "."], "S")
    for name in ("a.cxi", "a.nxs"):
        with pytest.raises(UserError, match="looks like a rocking scan"):
            measure_frame(str(tmp_path / name))


def test_scans_without_angles_are_known_by_their_photons(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", scan())
    tifffile.imwrite(tmp_path / "stack.tif", scan())
    for i, frame in enumerate(scan()):
        tifffile.imwrite(tmp_path / f"frame_{i:03d}.tif", frame)
    for path in (
        tmp_path / "a.npy",
        tmp_path / "stack.tif",
        tmp_path / "frame_*.tif",
        plain(tmp_path / "a.h5", scan()),
    ):
        with pytest.raises(UserError, match=r"rise once to a peak and fall.*data=one_scan"):
            measure_frame(str(path))
    assert measure_frame(str(tmp_path / "a.npy"), frame=12).mask.any()


def test_folders_spec_files_and_archives_are_pointed_at_one_scan(tmp_path: Path) -> None:
    (tmp_path / "run.spec").write_text("#F run.spec\n#E 1\n\n#S 1 ascan th 0 1 1 1\n#L th\n0\n1\n")
    np.savez(tmp_path / "a.npz", counts=scan())
    for path in (tmp_path, tmp_path / "run.spec", tmp_path / "a.npz"):
        with pytest.raises(UserError, match="data=one_scan"):
            measure_frame(str(path))


@pytest.mark.parametrize("frame", [None, 3])
def test_independent_frames_are_read(tmp_path: Path, frame: int | None) -> None:
    path = plain(tmp_path / "a.h5", hits(), angle=np.random.default_rng(2).uniform(0, 360, 24))
    made = measure_frame(path, frame=frame)
    assert made.mask.any()
    assert any("frame 0 of 24 is phased" in str(note) for note in made.notes) == (frame is None)


def cuts(frames: int) -> np.ndarray:
    """Photons of a tilted peak, frame by frame."""
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in (frames, 32, 32)), indexing="ij")
    peak = np.exp(-(z**2) / 40 - (y - 0.5 * z) ** 2 / 8 - (x + 0.5 * z) ** 2 / 12)
    return np.random.default_rng(0).poisson(2e4 * peak + 0.2).astype(np.uint32)


@pytest.mark.parametrize("frames", [7, 9, 11])
def test_few_frames_that_follow_each_other_are_a_scan(tmp_path: Path, frames: int) -> None:
    path = plain(tmp_path / "a.h5", cuts(frames))
    with pytest.raises(UserError, match=r"photons of its frames rise once .* data=one_scan"):
        measure_frame(path)
    assert measure_frame(path, frame=3).mask.any()


@pytest.mark.parametrize("photons", [0.005, 1, 50])
def test_few_exposures_that_rise_and_fall_are_no_scan(tmp_path: Path, photons: float) -> None:
    brightness = photons * np.array([1, 3, 6, 9, 7, 4, 2])[:, None, None]
    counts = np.random.default_rng(3).poisson(image() * brightness).astype(np.uint32)
    assert rises_and_falls(counts.sum((1, 2)).astype(float)) and not neighbours_alike(list(counts.astype(float)))
    assert measure_frame(plain(tmp_path / "a.h5", counts)).mask.any()


def test_random_brightness_is_no_rocking_curve() -> None:
    generator = np.random.default_rng(0)
    assert not any(rises_and_falls(generator.lognormal(size=12)) for _ in range(300))
    assert not rises_and_falls(np.arange(20.0))
    assert not rises_and_falls(np.r_[np.zeros(10), 5.0, np.zeros(10)])  # one hit among blanks
    assert rises_and_falls(1 + 100 * np.exp(-((np.arange(20) - 9.0) ** 2) / 8))


def test_fringes_of_flat_faces_are_a_scan_also_with_angles_of_a_private_name(tmp_path: Path) -> None:
    rocking = np.sinc(0.21 * (np.arange(24) - 12.3)) ** 2
    counts = np.random.default_rng(0).poisson(10 * image() * rocking[:, None, None]).astype(np.uint16)
    path = plain(tmp_path / "a.h5", counts, my_angle=0.2 + 0.01 * np.arange(24))
    with pytest.raises(UserError, match=r"a peak between like fringes.* data=one_scan"):
        measure_frame(path)
    assert measure_frame(path, frame=12).mask.any()
    generator = np.random.default_rng(0)
    assert sum(has_fringes(1e4 * generator.lognormal(size=12)) for _ in range(1000)) < 5
    assert not has_fringes(np.zeros(20))
