from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from spi_lightning.data.scans.single_pattern import measure_scan
from spi_lightning.data.scans.single_volume import SingleVolumeDataModule
from spi_lightning.data.scans.volume_patterns import ScanSettings, open_volume_patterns
from spi_lightning.data.simulated.making import make_set
from spi_lightning.errors import UserError
from spi_lightning.io.scans.bragg_scan import ScanKeys
from spi_lightning.physics.fourier import fourier
from spi_lightning.simulate.volumes import VolumeSimulator


def scan(path: Path, shape: tuple[int, int, int] = (16, 16, 16)) -> str:
    random = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"))
    rate = 2000 * np.exp(-(grid**2).sum(0) / 12) + 0.02
    with h5py.File(path, "w") as file:
        file["counts"] = random.poisson(rate)
    return str(path)


def test_a_measured_scan_is_cut_and_has_no_truth(tmp_path) -> None:
    made = open_volume_patterns(scan(tmp_path / "scan.h5"), scans=ScanSettings(size=12, threshold=0.0))
    assert made.kind == "measured" and made.names == ("scan",) and made.counted
    assert made.fourier_amplitude.shape == made.mask.shape == (1, 12, 12, 12) and made.truth is None
    assert made.voxel is None  # no geometry in the file
    two = open_volume_patterns([scan(tmp_path / "a.h5"), scan(tmp_path / "b.h5")], scans=ScanSettings(size=12, bin=1))
    assert len(two) == 2 and all(str(tmp_path) in str(note) for note in two.notes)


def test_a_set_gives_its_first_particles_with_their_truth(tmp_path) -> None:
    path = make_set(VolumeSimulator(size=16, object_size=8, block_size=4), 4, 0, tmp_path / "set.h5")
    made = open_volume_patterns(str(path), first=3)
    assert made.kind == "simulated" and len(made) == 3 and not made.counted
    torch.testing.assert_close(fourier(made.truth, 3).abs(), made.fourier_amplitude, atol=1e-4, rtol=1e-4)
    with pytest.raises(UserError, match="first=0"):
        open_volume_patterns(str(path), first=0)


def test_a_known_object_is_counted_at_every_peak(tmp_path) -> None:
    with h5py.File(tmp_path / "known.h5", "w") as file:
        file["amplitude"], file["phase"] = np.ones((8, 8, 8), "f2"), np.zeros((8, 8, 8), "f2")
    made = open_volume_patterns(
        str(tmp_path / "known.h5"), scans=ScanSettings(size=12), factor=2, peak_photons=[1e3, None]
    )
    assert made.kind == "known" and made.names == ("peak 1000 photons", "noise-free") and not made.counted
    assert made.truth is not None and float(made.fourier_amplitude[0].square().max()) == pytest.approx(1000, rel=0.2)
    with pytest.raises(UserError, match="is a cube"):
        open_volume_patterns(str(tmp_path / "known.h5"), scans=ScanSettings(size=[12, 12, 14]))


def test_scans_of_two_shapes_and_missing_files_are_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match=r"nowhere"):
        open_volume_patterns(str(tmp_path / "nowhere.h5"))
    both = [scan(tmp_path / "a.h5"), scan(tmp_path / "b.h5", (16, 16, 12))]
    with pytest.raises(UserError, match="volumes of one shape"):
        open_volume_patterns(both, scans=ScanSettings(size=None, bin=1))


def test_a_wrong_key_names_its_option(tmp_path) -> None:
    path = scan(tmp_path / "scan.h5")
    with pytest.raises(
        UserError,
        match=r"'count' is not in the file; did you mean data.key=counts.*: counts .*\(data\.key=\)",
    ):
        open_volume_patterns(path, scans=ScanSettings(size=12, key="count"))


def test_voxels_without_a_number_are_not_measured_with_a_note(tmp_path) -> None:
    path = scan(tmp_path / "scan.h5")
    with h5py.File(path, "r+") as file:
        counts = file["counts"][()].astype("f4")
        counts[:, 3], counts[2, 4, 5] = np.nan, np.inf
        del file["counts"]
        file["counts"] = counts
    made = open_volume_patterns(path, scans=ScanSettings(size=16, threshold=0.0))
    assert not made.mask[0, :, 3].any() and not made.mask[0, 2, 4, 5] and made.mask[0, 8, 8, 8]
    assert torch.isfinite(made.fourier_amplitude).all() and not made.fourier_amplitude[~made.mask].any()
    for line in ("256 voxels hold NaN: taken as not measured", "1 voxels hold infinite counts: taken as not measured"):
        assert any(line in str(note) for note in made.notes)


def test_simulated_patterns_without_numbers_are_refused(tmp_path) -> None:
    path = make_set(VolumeSimulator(size=16, object_size=8, block_size=2), 2, 0, tmp_path / "set.h5")
    with h5py.File(path, "r+") as file:
        file["/entry_1/particles_1/amplitude"][1, 2] = np.nan
    with pytest.raises(UserError, match=r"amplitude of particles 0 to 1 holds 64 voxels that are not numbers"):
        open_volume_patterns(str(path), first=2)


def altered(path: str, **changed: np.ndarray) -> str:
    """The file with these data sets instead of, or beside, its own."""
    with h5py.File(path, "r+") as file:
        for name, values in changed.items():
            if name in file:
                del file[name]
            file[name] = values
    return path


def test_mistakes_in_a_scan_name_the_file(tmp_path) -> None:
    angles = np.arange(16) * 0.01
    for change, words in (
        ({"theta_deg": angles[:9]}, "shape \\(9,\\), and angles have one value for each of the 16 frames"),
        ({"counts": np.zeros((16, 16, 16))}, "no photons"),
        ({"counts": np.ones((4, 4, 4))}, "shape \\(4, 4, 4\\): .* of at least 5 each"),
    ):
        path = altered(scan(tmp_path / "scan.h5"), **change)
        with pytest.raises(UserError, match=rf"scan\.h5: .*{words}"):
            open_volume_patterns(path, scans=ScanSettings(size=12))


def test_a_second_crystal_is_warned_of(tmp_path) -> None:
    path = scan(tmp_path / "scan.h5", (32, 32, 32))
    with h5py.File(path) as file:
        counts = file["counts"][()]
    two = altered(path, counts=counts + np.roll(counts, (-11, 9, 10), (0, 1, 2)) // 3)
    notes = open_volume_patterns(two, scans=ScanSettings(size=16, threshold=0.0)).notes
    assert any("look like other crystals" in str(note) and "parasitic_peaks=find" in str(note) for note in notes)
    assert not any(
        "other crystals" in str(note)
        for note in open_volume_patterns(scan(tmp_path / "one.h5"), scans=ScanSettings(size=12)).notes
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 0}, r"data\.size=0: give one whole number"),
        ({"size": 3.5}, r"data\.size=3\.5: give one whole number"),
        ({"size": "abc"}, r"data\.size=abc: give one whole number"),
        ({"bin": [1, 2]}, r"data\.bin=\[1, 2\]: give one whole number, or three"),
        ({"threshold": "a"}, r"data\.threshold=a: give a number"),
        ({"size": [40000, 40000, 40000]}, r"data\.size=40000 x 40000 x 40000 .* GiB are available: .* would fit"),
    ],
)
def test_settings_that_make_no_pattern_are_named(tmp_path, settings, words) -> None:
    with pytest.raises(UserError, match=words):
        open_volume_patterns(scan(tmp_path / "scan.h5"), scans=ScanSettings(**settings))


def test_scans_whose_peaks_lie_apart_are_cut_to_what_all_of_them_hold(tmp_path) -> None:
    paths = [scan(tmp_path / "a.h5"), scan(tmp_path / "b.h5")]
    with h5py.File(paths[0]) as file:
        counts = file["counts"][()]
    altered(paths[1], counts=np.roll(counts, (1, 0, -2), (0, 1, 2)))
    made = open_volume_patterns(paths)
    assert made.mask.shape == (2, 14, 16, 13) and made.mask.all()
    data = SingleVolumeDataModule(paths)
    data.setup("fit")
    assert data.whole()["mask"].shape == (2, 1, 14, 16, 13)


def test_a_refinement_sees_the_same_pattern_as_a_comparison(tmp_path) -> None:
    path = altered(scan(tmp_path / "scan.h5"), theta_deg=np.roll(np.arange(16) * 0.01, 3))
    with h5py.File(path, "r+") as file:
        file.move("counts", "photons")  # the only one with three axes
    data = SingleVolumeDataModule(path, size=12)
    data.setup("fit")
    compared = open_volume_patterns(path, scans=ScanSettings(size=12))
    torch.testing.assert_close(data.whole()["fourier_amplitude"][:, 0], compared.fourier_amplitude)
    torch.testing.assert_close(data.whole()["mask"][:, 0], compared.mask)
    complex_counts = altered(path, photons=np.ones((16, 16, 16), dtype="c8"))
    with pytest.raises(UserError, match="no data set is a stack"):
        SingleVolumeDataModule(complex_counts, size=12).setup("fit")
    for wrong in ({"size": "abc"}, {"threshold": "a"}, {"bin": "x"}):
        with pytest.raises(UserError, match=rf"data\.{next(iter(wrong))}="):
            SingleVolumeDataModule(path, **wrong).setup("fit")
    with pytest.raises(UserError, match=r"data\.held_out=x"):
        SingleVolumeDataModule(path, held_out="x")


def test_geometry_that_is_no_number_or_unknown_is_named(tmp_path) -> None:
    path = scan(tmp_path / "scan.h5")
    with pytest.raises(UserError, match=r"geometry\.photon_energy=abc: give a number"):
        measure_scan(path, geometry={"photon_energy": "abc"})
    with pytest.raises(UserError, match=r"data\.geometry\.colour is unknown: there are photon_energy"):
        measure_scan(path, geometry={"colour": 3})


def test_keys_and_geometry_reach_the_reader(tmp_path) -> None:
    path = scan(tmp_path / "scan.h5")
    gap = np.zeros((16, 16, 16), dtype=bool)
    gap[:, 3] = True
    altered(path, gap=gap)
    known = {"photon_energy": 9e3, "distance": 0.5, "pixel_size": 55e-6, "delta_deg": 32.0, "gamma_deg": 12.0}
    keys = ScanKeys(bad_pixels="gap")
    made = open_volume_patterns(
        path, scans=ScanSettings(size=16, keys=keys, geometry=known | {"step_deg": 0.01, "rocking_axis": None})
    )
    assert made.voxel is not None and made.axes[0] is not None and not made.mask[0, :, 3].any()
    module = SingleVolumeDataModule(path, size=16, keys=keys, geometry=known)
    module.setup("fit")
    assert module.axes == [None] and not module.whole()["mask"][0, 0, :, 3].any()
