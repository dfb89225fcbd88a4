import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from spi_lightning.errors import UserError
from spi_lightning.io import PatternKeys, open_patterns

PHOTONS = np.random.default_rng(0).poisson(3.0, (9, 6, 5)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, part in [("a", slice(0, 4)), ("b", slice(4, 6)), ("c", slice(6, 9))]:
        with h5py.File(tmp_path / f"run_{name}.h5", "w") as file:
            file["patterns"] = PHOTONS[part]
            if name != "b":
                file["labels"] = np.arange(9)[part] % 2
            file.attrs["distance"] = 0.5
            file.attrs["photon_energy"] = 1500.0 if name == "a" else 1600.0
    return tmp_path


def test_a_glob_is_one_set_in_which_each_file_is_a_run(folder) -> None:
    joined = pickle.loads(pickle.dumps(open_patterns(str(folder / "run_*.h5"))))
    assert joined.shape == (9, 6, 5)
    assert "3 files" in joined.format
    order = np.array([8, 0, 4, 4, 3, 7, 5])
    np.testing.assert_array_equal(joined.read(order), PHOTONS[order])
    np.testing.assert_array_equal(joined.source.read(3, 7), PHOTONS[3:7])
    np.testing.assert_array_equal(joined.labels["particle_id"], [0] * 4 + [1] * 2 + [2] * 3)
    np.testing.assert_array_equal(joined.labels["is_single_hit"], [0, 1, 0, 1, -1, -1, 0, 1, 0])
    assert joined.geometry["distance"] == 0.5
    np.testing.assert_array_equal(joined.geometry["photon_energy"], [1500] * 4 + [1600] * 5)
    assert joined.mask is None
    assert joined.read_mask([0, 8]).all()
    assert [(file.path.name, i) for file, i in joined.origin([5, 0])] == [("run_b.h5", 1), ("run_a.h5", 0)]


def test_lists_and_commas_keep_their_order(folder) -> None:
    names = [folder / "run_c.h5", folder / "run_a.h5"]
    for path in (names, ",".join(map(str, names))):
        np.testing.assert_array_equal(open_patterns(path).read([0, 3]), PHOTONS[[6, 0]])


def test_masks_of_the_files_may_differ(folder) -> None:
    bad = np.zeros((6, 5), dtype=np.uint8)
    bad[2, 2] = 1
    with h5py.File(folder / "run_a.h5", "a") as file:
        file["mask"] = bad
    joined = open_patterns(str(folder / "run_*.h5"))
    np.testing.assert_array_equal(joined.mask[:4], np.tile(bad == 0, (4, 1, 1)))
    assert joined.mask[4:].all()
    np.testing.assert_array_equal(joined.read([1, 6]), [np.where(bad, 0, PHOTONS[1]), PHOTONS[6]])


def test_labelled_runs_are_kept(folder) -> None:
    for name, part in [("a", slice(0, 4)), ("b", slice(4, 6)), ("c", slice(6, 9))]:
        with h5py.File(folder / f"run_{name}.h5", "a") as file:
            file["particle_id"] = np.arange(9)[part] // 2
    np.testing.assert_array_equal(open_patterns(str(folder / "run_*.h5")).labels["particle_id"], np.arange(9) // 2)


def test_files_that_do_not_fit_together_and_empty_globs(folder) -> None:
    with h5py.File(folder / "run_d.h5", "w") as file:
        file["patterns"] = np.zeros((2, 3, 3), dtype=int)
    with pytest.raises(UserError, match=r"run_a\.h5 has \(6, 5\), .*run_d\.h5 has \(3, 3\)"):
        open_patterns(str(folder / "run_*.h5"))
    with pytest.raises(UserError, match="no file matches"):
        open_patterns(str(folder / "nothing_*.h5"))
    with pytest.raises(UserError, match="names no file"):
        open_patterns([])


@pytest.fixture
def index_list(folder) -> Path:
    (folder / "train_index.dat").write_text("run_c.h5,2\n# a comment\nrun_a.h5,0\n\nrun_c.h5,2\nrun_b.h5, 1\n")
    (folder / "train_labels.dat").write_text("1\n0\n1\n0\n")
    return folder / "train_index.dat"


def test_index_list_with_labels_beside(index_list) -> None:
    listed = open_patterns(index_list)
    assert listed.format == "index list"
    np.testing.assert_array_equal(listed.read(range(4)), PHOTONS[[8, 0, 8, 5]])
    np.testing.assert_array_equal(listed.labels["is_single_hit"], [1, 0, 1, 0])
    np.testing.assert_array_equal(listed.labels["particle_id"], [0, 1, 0, 2])
    assert any("train_labels.dat" in str(note) for note in listed.notes)


def test_index_list_with_named_labels_and_keys(index_list, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("0 0 0 1")
    with h5py.File(tmp_path / "run_b.h5", "a") as file:
        file["other"] = file["patterns"][()]
    listed = open_patterns(index_list, PatternKeys(photons="patterns", label=str(tmp_path / "mine.txt")))
    np.testing.assert_array_equal(listed.labels["is_single_hit"], [0, 0, 0, 1])


@pytest.mark.parametrize(
    ("lines", "labels", "message"),
    [
        ("run_a.h5,0\nrun_a.h5\n", None, r"line 2 reads 'run_a\.h5'; expected file\.h5,index"),
        ("run_a.h5,0\nrun_a.h5,9\n", None, "frame 9 does not exist; the file has frames 0 to 3"),
        ("gone.h5,0\n", None, r"gone\.h5: there is no such file"),
        ("run_a.h5,0\n", "1\n0\n", "shape .2,. does not fit 1 patterns"),
        ("run_a.h5,0\n", "5\n", "is_single_hit is 5"),
        ("run_a.h5,0\n", "rod\n", "the word 'rod' among 'rod' has no known meaning"),
    ],
)
def test_bad_index_lists_are_refused(folder, lines, labels, message) -> None:
    (folder / "an_index.txt").write_text(lines)
    if labels:
        (folder / "an_labels.txt").write_text(labels)
    with pytest.raises(UserError, match=message):
        open_patterns(folder / "an_index.txt")
