"""Dragonfly's outputs, new and old, read from files made as it makes them."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from spi_lightning.errors import UserError
from spi_lightning.io.dragonfly.output import LOG_COLUMNS, most_probable, read_log, read_output, read_quaternions

SIZE, ROTATIONS = 5, 6
CANDIDATES = [[4, 0, 2], [1], [], [5, 3]]
PROBABILITIES = [[0.2, 0.5, 0.3], [1.0], [], [0.25, 0.75]]
LOG = """Cryptotomography with the EMC algorithm using MPI+OpenMP

Data parameters:
\tnum_data = 4
\tmean_count = 16197.283333

Iter\ttime\trms_change\tinfo_rate\tlog-likelihood\tnum_rot\tbeta
1\t16.38\t3.7409e+00\t0.524758\t-3.674418e+03\t3240   \t0.020525
2\t17.22\t3.5471e+00\t0.083422\t-3.738183e+03\t3240   \t0.025657
"""


def sampled() -> NDArray[np.float64]:
    rows = np.random.default_rng(0).normal(size=(ROTATIONS, 5))
    rows[:, :4] /= np.linalg.norm(rows[:, :4], axis=1, keepdims=True)
    rows[:, 4] = np.arange(1, ROTATIONS + 1)
    return rows


def cube() -> NDArray[np.float64]:
    """Ordered x, y, z as in the file: the value tells the place."""
    x, y, z = np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij")
    return (100 * x + 10 * y + z).astype(np.float64)


def write(path: Path, modes: int = 1, leave_out: tuple[str, ...] = (), **instead: Any) -> Path:
    """An output_NNN.h5 as dragonfly-spi writes it, with lists of any length."""
    values: dict[str, Any] = {
        "intens": np.stack([cube()] * modes),
        "orientations": np.array([0, 1, -1, 3], np.int32) * np.array([modes, modes, 1, modes], np.int32),
        "quaternions": sampled(),
        "likelihood": np.arange(4.0),
        "mutual_info": np.arange(4.0) + 1,
        "scale": np.arange(4.0) + 2,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in (values | instead).items():
            if name not in leave_out:
                file[name] = value
        if "probabilities" not in leave_out:
            file["probabilities/num_rot"] = [ROTATIONS]
            for name, rows, kind in (("place", CANDIDATES, "i4"), ("prob", PROBABILITIES, "f8")):
                item = file.create_dataset(f"probabilities/{name}", (len(rows),), h5py.vlen_dtype(np.dtype(kind)))
                for i, row in enumerate(rows):
                    item[i] = np.array(row, kind) * (modes if name == "place" else 1)
    return path


def test_a_run_is_read_best_orientation_first(tmp_path: Path) -> None:
    for number in (0, 1, 2, 10):
        write(tmp_path / "data" / f"output_{number:03d}.h5")
    output = read_output(tmp_path, top=2)
    assert output.iteration == 10 and output.path.name == "output_010.h5" and not output.notes
    assert output.candidate.tolist() == [[0, 2], [1, -1], [-1, -1], [3, 5]]
    np.testing.assert_allclose(output.probability, [[0.5, 0.3], [1, 0], [0, 0], [0.75, 0.25]])
    assert output.orientation.tolist() == [0, 1, -1, 3]
    np.testing.assert_allclose(np.linalg.norm(output.quaternion, axis=1), 1)
    np.testing.assert_allclose(output.weight, np.arange(1, 7) / 21)
    assert output.intensity[1, 2, 3] == 321  # z, y, x
    assert output.per_pattern["mutual_information"].tolist() == [1, 2, 3, 4]


def test_modes_share_their_orientations(tmp_path: Path) -> None:
    output = read_output(write(tmp_path / "output_003.h5", modes=3), top=1)
    assert output.candidate[:, 0].tolist() == [0, 1, -1, 3] and output.orientation.tolist() == [0, 1, -1, 3]
    assert "3 modes" in str(output.notes[0])


def test_without_probabilities_the_best_counts(tmp_path: Path) -> None:
    output = read_output(write(tmp_path / "output_003.h5", leave_out=("probabilities",)))
    assert output.candidate.tolist() == [[0], [1], [-1], [3]]
    assert output.probability[:, 0].tolist() == [1, 1, 0, 1]
    assert "save_prob" in str(output.notes[0])


def write_old(folder: Path) -> Path:
    """The files of a version without HDF5."""
    for name in ("output", "orientations", "likelihood", "mutualInfo", "scale"):
        (folder / name).mkdir(parents=True)
    cube().tofile(folder / "output" / "intens_007.bin")
    np.array([0, 5, 2], "<i4").tofile(folder / "orientations" / "orientations_007.bin")
    for name in ("likelihood/likelihood", "mutualInfo/info", "scale/scale"):
        np.savetxt(folder / f"{name}_007.dat", [1.0, 2.0, 3.0])
    np.savetxt(folder / "quat.dat", sampled(), header=str(ROTATIONS), comments="")
    return folder


def test_an_old_run_is_read_with_its_list(tmp_path: Path) -> None:
    folder = write_old(tmp_path / "data")
    output = read_output(tmp_path, quaternions=folder / "quat.dat")
    assert output.iteration == 7 and output.candidate[:, 0].tolist() == [0, 5, 2]
    assert output.intensity[1, 2, 3] == 321
    assert set(output.per_pattern) == {"likelihood", "mutual_information", "scale"}
    with pytest.raises(UserError, match="no list of sampled orientations; name one with quaternions=FILE"):
        read_output(folder / "output" / "intens_007.bin")


def test_lists_of_orientations_in_both_forms(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "q.dat", sampled(), header=str(ROTATIONS), comments="")
    with h5py.File(tmp_path / "q.h5", "w") as file:
        file["quaternions"] = sampled()[:, :4]
    text, weights = read_quaternions(tmp_path / "q.dat")
    hdf5, even = read_quaternions(tmp_path / "q.h5")
    np.testing.assert_allclose(text, hdf5)
    assert weights.sum() == pytest.approx(1) and weights[5] == pytest.approx(6 / 21)
    np.testing.assert_allclose(even, 1 / 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leave_out": ("orientations",)}, "key 'orientations' is not in the file"),
        ({"leave_out": ("quaternions",)}, "no list of sampled orientations"),
        ({"quaternions": np.ones((6, 5))}, r"the orientations, \(6, 5\), are not unit quaternions"),
        ({"quaternions": sampled()[:3]}, "names orientation 5 of a list of 3"),
        ({"intens": np.ones((1, 5, 5))}, "is not a cube"),
    ],
)
def test_a_damaged_output_is_one_line(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_output(write(tmp_path / "output_001.h5", **change))
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "output_000.h5")  # the first guess alone
    (tmp_path / "notes.txt").write_text("hello")
    for path, message in (
        (tmp_path, "no output_NNN.h5 of a finished"),
        (tmp_path / "nowhere", "no such Dragonfly output"),
        (tmp_path / "notes.txt", "not a Dragonfly output"),
    ):
        with pytest.raises(UserError, match=message):
            read_output(path)
    with pytest.raises(UserError, match="no such list of orientations"):
        read_quaternions(tmp_path / "q.dat")
    (tmp_path / "q.dat").write_text("2\n1 0 0 zero 1\n")
    with pytest.raises(UserError, match="cannot be read as a list of quaternions"):
        read_quaternions(tmp_path / "q.dat")


def test_most_probable_of_nothing_and_of_nan() -> None:
    candidate, probability = most_probable([np.array([7, 8])], [np.array([np.nan, 0.5])], 3)
    assert candidate.tolist() == [[8, 7, -1]] and probability.tolist() == [[0.5, 0.0, 0.0]]


def test_the_log_grows_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "EMC.log"
    assert len(read_log(path)["iteration"]) == 0
    path.write_text(LOG[:-20])  # Dragonfly is writing the last line
    assert read_log(path)["iteration"].tolist() == [1]
    path.write_text(LOG)
    log = read_log(path)
    assert tuple(log) == LOG_COLUMNS and log["iteration"].tolist() == [1, 2]
    assert log["mutual_information"][1] == pytest.approx(0.083422) and log["beta"][0] == pytest.approx(0.020525)
