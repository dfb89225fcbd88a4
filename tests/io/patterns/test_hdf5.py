import os
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spi_lightning.data.hits import labelled_splits
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT
from spi_lightning.io import PatternKeys, open_patterns
from spi_lightning.io.patterns.pattern_file import runs


def write(path, **arrays) -> Path:
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key.replace("__", "/")] = value
    return path


def counts(n=6, height=5, width=4, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3.0, (n, height, width)).astype(np.uint16)


@given(
    index=st.lists(st.integers(0, 19), min_size=0, max_size=30),
    chunk=st.sampled_from([None, 1, 3, 20]),
    compressed=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_frames_reads_what_h5py_reads(tmp_path, index, chunk, compressed) -> None:
    photons = counts(20)
    path = tmp_path / f"{chunk}{compressed}.h5"
    if not path.exists():
        layout = {"chunks": (chunk, 5, 4), **(hdf5plugin.Bitshuffle() if compressed else {})} if chunk else {}
        with h5py.File(path, "w") as file:
            file.create_dataset("patterns", data=photons, **layout)
    frames = open_patterns(path).read(np.array(index, dtype=int))
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames, photons[np.array(index, dtype=int)])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_runs_cover_every_frame_once_and_never_cross_a_gap_between_chunks(index, chunk) -> None:
    numbers = np.array(index)
    answer = np.full(len(numbers), -1)
    for start, stop, into, of in runs(numbers, chunk):
        block = np.arange(start, stop)
        assert np.isin(block // chunk, numbers // chunk).all()
        answer[into] = block[of]
    np.testing.assert_array_equal(answer, numbers)


def test_user_keys_mask_labels_and_runs(tmp_path) -> None:
    photons, mask = counts(), np.zeros((5, 4), dtype=np.uint8)
    mask[0, 0] = 1
    names = np.array([b"run90", b"run90", b"run7", b"run7", b"run8", b"run8"])
    path = write(tmp_path / "a.h5", x__frames=photons, x__y=np.array([1, 0, 1, -1, 0, 0]), x__m=mask, run=names)
    file = open_patterns(path, PatternKeys("x/frames", label="x/y", mask="x/m", particle_id="run"))
    assert file.format == "HDF5"
    assert file.mask is not None
    assert not file.mask[0, 0]
    assert file.mask.sum() == 19
    np.testing.assert_array_equal(file.labels["is_single_hit"], [1, 0, 1, -1, 0, 0])
    np.testing.assert_array_equal(file.labels["particle_id"], [2, 2, 0, 0, 1, 1])
    assert (file.read(range(6))[:, 0, 0] == 0).all()
    assert any("0 = measured" in str(note) for note in file.notes)
    assert any("numbered" in str(note) for note in file.notes)


def test_usual_names_and_attributes_are_found(tmp_path) -> None:
    path = write(tmp_path / "a.h5", patterns=counts(), labels=np.arange(6) % 2)
    with h5py.File(path, "a") as file:
        file.attrs["detector_distance_m"], file.attrs["wavelength_angstrom"] = 0.581, 7.9
        file.attrs["beam_center_row_col"] = [2.0, 1.5]
    opened = open_patterns(path)
    assert opened.geometry["distance"] == 0.581
    np.testing.assert_allclose(opened.geometry["photon_energy"], 1569.42, rtol=1e-5)
    np.testing.assert_array_equal(opened.geometry["beam_centre"], [2, 1.5])
    np.testing.assert_array_equal(opened.labels["is_single_hit"], np.arange(6) % 2)


def test_index_key_picks_frames_with_their_labels(tmp_path) -> None:
    path = write(tmp_path / "a.h5", patterns=counts(), labels=np.arange(6) % 2, chosen=np.array([5, 0, 3]))
    file = open_patterns(path, PatternKeys(index="chosen"))
    np.testing.assert_array_equal(file.read([0, 1, 2]), counts()[[5, 0, 3]])
    np.testing.assert_array_equal(file.labels["is_single_hit"], [1, 0, 1])
    with pytest.raises(UserError, match="entry 1 is 6; frame numbers are whole, from 0 to 5"):
        open_patterns(write(tmp_path / "b.h5", patterns=counts(), chosen=np.array([6])), PatternKeys(index="chosen"))


def test_labels_and_masks_in_files_beside(tmp_path) -> None:
    path = write(tmp_path / "a.h5", patterns=counts())
    np.savetxt(tmp_path / "labels.txt", [1, 0, 0, 1, 1, 0])
    np.save(tmp_path / "good.npy", np.arange(20).reshape(5, 4) > 3)
    keys = PatternKeys(label=str(tmp_path / "labels.txt"), mask=str(tmp_path / "good.npy"))
    file = open_patterns(path, keys)
    np.testing.assert_array_equal(file.labels["is_single_hit"], [1, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(file.mask, np.arange(20).reshape(5, 4) > 3)


def test_a_mask_for_every_frame_is_read_lazily(tmp_path) -> None:
    bad = np.random.default_rng(1).random((6, 5, 4)) < 0.2
    file = open_patterns(write(tmp_path / "a.h5", patterns=counts(), bad_pixels=bad.astype(np.uint8)))
    assert file.shared_mask is None
    np.testing.assert_array_equal(file.mask, ~bad)
    np.testing.assert_array_equal(file.read([4, 1]), np.where(bad, 0, counts())[[4, 1]])
    np.testing.assert_array_equal(file.read_mask([4, 1, 1]), ~bad[[4, 1, 1]])


def test_masked_pixels_may_hold_anything(tmp_path) -> None:
    photons = counts().astype(np.float32)
    photons[:, 0, 0], photons[:, 0, 1], photons[:, 0, 2] = np.nan, -5, 0.3
    mask = np.zeros((5, 4), dtype=np.uint8)
    mask[0, :3] = 1
    file = open_patterns(write(tmp_path / "a.h5", patterns=photons, mask=mask))
    np.testing.assert_array_equal(file.read(range(6)), np.where(mask, 0, counts()))


def test_floats_that_are_nearly_whole_are_photons(tmp_path) -> None:
    noise = np.random.default_rng(0).uniform(-0.009, 0.009, (6, 5, 4))
    np.testing.assert_array_equal(
        open_patterns(write(tmp_path / "a.h5", patterns=counts() + noise)).read(range(6)), counts()
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"frame 4: pixel \(2, 1\) = nan is not a number"),
        (np.inf, r"frame 4: pixel \(2, 1\) = inf is not a number"),
        (-3.0, r"frame 4: pixel \(2, 1\) = -3 is negative.*data.adu_per_photon="),
        (1.4, r"frame 4: pixel \(2, 1\) = 1.4 is not a whole number.*data.adu_per_photon="),
    ],
)
def test_what_is_no_photon_count_is_named(tmp_path, value, message) -> None:
    photons = counts().astype(np.float64)
    photons[4, 2, 1] = value
    with pytest.raises(UserError, match=message):
        open_patterns(write(tmp_path / "a.h5", patterns=photons)).read(range(6))


def test_negative_integers_are_refused(tmp_path) -> None:
    photons = counts().astype(np.int32)
    photons[3] = -1
    with pytest.raises(UserError, match=r"frame 3: .* is negative"):
        open_patterns(write(tmp_path / "a.h5", patterns=photons)).read([3])


def test_detector_units_are_converted_with_a_stated_gain(tmp_path) -> None:
    rng = np.random.default_rng(0)
    photons = rng.poisson(0.7, (6, 40, 40))
    adu = (photons * 130 + rng.uniform(-60, 60, photons.shape)).astype(np.float32)
    adu[2, 3, 3] = np.inf
    file = open_patterns(write(tmp_path / "a.h5", adu=adu), adu_per_photon=130)
    photons[2, 3, 3] = 0
    np.testing.assert_array_equal(file.read(range(6)), photons)
    assert any("130" in str(note) for note in file.notes)
    adu[1, :10] = np.nan
    with pytest.raises(UserError, match=r"frame 1: .* like many others of the frame"):
        open_patterns(write(tmp_path / "b.h5", adu=adu), adu_per_photon=130).read([1])
    with pytest.raises(UserError, match="positive"):
        open_patterns(tmp_path / "a.h5", adu_per_photon=0)


@pytest.mark.parametrize(
    ("arrays", "keys", "message"),
    [
        ({"patterns": np.zeros(5)}, {}, r"no data set looks like patterns.*there are: patterns \(5,\)"),
        ({"patterns": np.zeros((2, 3, 4, 5))}, {}, r"modular \(N, module, y, x\); assemble"),
        ({"patterns": np.zeros((0, 4, 5))}, {}, "it is empty"),
        ({"patterns": np.zeros((2, 4, 5), dtype=complex)}, {}, "complex"),
        (
            {"patterns": counts()},
            {"photons": "pattern"},
            r"'pattern' is not in the file; did you mean data.keys.photons=patterns\? there are: patterns \(6, 5, 4\)",
        ),
        ({"g/patterns": counts()}, {"photons": "g"}, r"'g' is a group"),
        ({"a": counts(), "b": counts()}, {}, r"more than one data set.*data.keys.photons=.*a \(6, 5, 4\)"),
        ({"a": np.zeros(3)}, {}, r"no data set looks like patterns"),
        ({"patterns": counts()}, {"label": "y"}, "'y' is not in the file"),
        ({"patterns": counts(), "y": np.arange(5)}, {"label": "y"}, r"shape \(5,\) does not fit 6 patterns"),
        ({"patterns": counts(), "y": np.arange(6)}, {"label": "y"}, "is_single_hit is 2, 3, 4, 5 in some patterns"),
        ({"patterns": counts(), "y": np.full(6, 0.5)}, {"label": "y"}, "whole numbers"),
        ({"patterns": counts(), "y": np.full(6, np.nan)}, {"label": "y"}, "without NaN"),
        ({"patterns": counts(), "y": np.array([b"a"] * 6)}, {"label": "y"}, "the word 'a' among"),
        (
            {"patterns": counts(), "mask": np.zeros((4, 5))},
            {},
            r"mask has shape \(4, 5\) \(rows and columns are swapped\)",
        ),
        ({"patterns": counts(), "mask": np.zeros((6, 4))}, {}, r"mask has shape \(6, 4\); .* patterns \(6, 5, 4\)"),
        ({"patterns": counts(), "mask": np.zeros((7, 5, 4))}, {}, r"mask has shape \(7, 5, 4\)"),
        ({"patterns": counts(), "mask": np.full((5, 4), 0.5)}, {}, "whole numbers"),
        ({"patterns": counts()}, {"mask": "m"}, "'m' is not in the file.*data.keys.mask="),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, arrays, keys, message) -> None:
    path = write(tmp_path / "a.h5", **{key.replace("/", "__"): value for key, value in arrays.items()})
    with pytest.raises(UserError, match=message) as error:
        open_patterns(path, PatternKeys(**keys))
    assert "\n" not in str(error.value)
    assert "a.h5" in str(error.value)


def test_missing_truncated_foreign_and_empty_files(tmp_path) -> None:
    path = write(tmp_path / "a.h5", patterns=np.random.default_rng(0).poisson(3.0, (50, 32, 32)))
    content = path.read_bytes()
    for name, bytes_left, message in [
        ("truncated.h5", content[: len(content) // 2], "truncated"),
        ("foreign.h5", b"this is not an HDF5 file" * 10, "not an HDF5 file"),
        ("foreign.xyz", b"this is nothing known" * 10, "unknown format; supported are"),
        ("empty.h5", b"", "empty"),
    ]:
        (tmp_path / name).write_bytes(bytes_left)
        with pytest.raises(UserError, match=rf"{name}.*{message}"):
            open_patterns(tmp_path / name)
    with pytest.raises(UserError, match=r"gone\.h5: there is no such file"):
        open_patterns(tmp_path / "gone.h5")
    with pytest.raises(UserError, match="is a folder"):
        open_patterns(tmp_path)


def test_damage_inside_the_file_is_reported_at_reading(tmp_path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        noise = np.random.default_rng(0).integers(0, 60000, (20, 32, 32))
        file.create_dataset("patterns", data=noise, chunks=(1, 32, 32), compression="gzip", fletcher32=True)
        where = file["patterns"].id.get_chunk_info(7)
    with path.open("r+b") as raw:
        raw.seek(where.byte_offset + where.size // 2)
        raw.write(b"\0" * 64)
    with pytest.raises(UserError, match="damaged"):
        open_patterns(path).read([7])


def test_a_file_that_is_being_written_is_named_as_locked(tmp_path) -> None:
    script = "import h5py, sys; f = h5py.File(sys.argv[1], 'w', locking=True); print('ready', flush=True); input()"
    command = [sys.executable, "-c", script, str(tmp_path / "a.h5")]
    environment = {key: value for key, value in os.environ.items() if key != "HDF5_USE_FILE_LOCKING"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        (tmp_path / "a.h5").open("ab").close()
        with pytest.raises(UserError, match=r"a\.h5.*(locked by another program|is empty)"):
            open_patterns(tmp_path / "a.h5")
        writer.communicate("\n")


def test_a_file_replaced_in_use_is_noticed(tmp_path) -> None:
    path = write(tmp_path / "a.h5", patterns=counts())
    first = pickle.loads(pickle.dumps(open_patterns(path)))
    write(tmp_path / "b.h5", patterns=counts(seed=1)).replace(path)
    np.testing.assert_array_equal(open_patterns(path).read([0]), counts(seed=1)[[0]])
    with pytest.raises(UserError, match="was replaced while it was in use"):
        pickle.loads(pickle.dumps(first)).source.read(0, 1) if _forget(first) else None


def _forget(file) -> bool:
    from spi_lightning.io.hdf5 import file as hdf5_file

    for name in [name for name in hdf5_file._OPEN if name[1] == file.source.stamp]:
        hdf5_file._OPEN.pop(name)[0].close()
    return True


class Frames(torch.utils.data.Dataset):
    def __init__(self, file) -> None:
        self.file = file

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, i):
        return torch.from_numpy(self.file.read([i])[0])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_worker_processes_open_the_file_for_themselves(tmp_path, start) -> None:
    file = open_patterns(write(tmp_path / "a.h5", patterns=counts(8)))
    file.read([0])  # the parent has it open already
    loader = torch.utils.data.DataLoader(Frames(file), 2, num_workers=1, multiprocessing_context=start)
    np.testing.assert_array_equal(torch.cat(list(loader)), counts(8))


def test_real_patterns(spi_data) -> None:
    file = open_patterns(spi_data / "spi" / "pr772_dev.h5")
    assert file.shape == (25, 128, 128)
    assert file.labels["is_single_hit"].sum() == 9
    assert file.mask is not None
    assert (~file.mask).sum() == 304
    sums = file.read(range(25)).sum(axis=(1, 2))
    single = file.labels["is_single_hit"] == 1
    assert (sums[single].min(), np.median(sums[single]), sums[single].max()) == (14168, 27401, 47793)
    with pytest.raises(UserError, match=r"data\.adu_per_photon="):
        open_patterns(spi_data / "spi" / "pnccd_adu_10.h5", PatternKeys(mask="mask,artifacts")).read([0])


@pytest.mark.parametrize("dtype", ["u2", "u4", "i4", "f4"])
def test_a_mask_per_frame_beside_excludes_with_sentinels(tmp_path, dtype) -> None:
    photons = np.random.default_rng(0).poisson(3.0, (5, 8, 9)).astype(dtype)
    gap = {"u2": 65535, "u4": 2**32 - 1, "i4": -1, "f4": -1}[dtype]
    bad = np.zeros(photons.shape, np.uint8)
    bad[1, 2:4], bad[3, :, 5] = 1, 1
    stored = photons.copy()
    stored[:, 6, 6] = gap
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["patterns"] = stored
    np.save(tmp_path / "bad.npy", bad)
    file = open_patterns(tmp_path / "a.h5", PatternKeys(mask=str(tmp_path / "bad.npy")))
    keep = bad == 0
    keep[:, 6, 6] = False
    np.testing.assert_array_equal(file.mask, keep)
    np.testing.assert_array_equal(file.read(range(5)), np.where(keep, photons, 0))
    assert any(f"1 pixel holds {gap} in every frame" in str(note) for note in file.notes)


def test_a_module_off_in_one_frame_is_masked_there(tmp_path) -> None:
    photons = np.random.default_rng(0).poisson(3.0, (5, 8, 9)).astype("u4")
    photons[2, 4:] = 2**32 - 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["patterns"] = photons
    file = open_patterns(tmp_path / "a.h5")
    assert file.read([2, 3]).max() < 20 and file.masks_differ
    np.testing.assert_array_equal(file.mask, photons != 2**32 - 1)


def test_a_pixel_mask_is_found_and_its_virtual_pixels_are_measured(tmp_path) -> None:
    bits = np.zeros((8, 9), np.uint32)
    bits[0], bits[1], bits[2] = 1 << 31, 1 << 8, (1 << 31) + 16
    photons = np.random.default_rng(0).poisson(3.0, (5, 8, 9)).astype("u2")
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry/data/data"] = photons
        file["entry/instrument/detector/pixel_mask"] = bits
    file = open_patterns(tmp_path / "a.nxs")
    np.testing.assert_array_equal(~file.mask, np.isin(np.arange(8), [1, 2])[:, None].repeat(9, 1))
    assert any("NeXus bits" in str(note) for note in file.notes)


@pytest.mark.parametrize("shape", [(8, 9), (1, 8, 9)])
def test_bits_in_a_signed_type_and_with_an_axis_of_one(tmp_path, shape) -> None:
    bits = np.zeros((8, 9), np.uint32)
    bits[0], bits[1] = 1 << 31, (1 << 31) + 16
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry/data/data"] = np.random.default_rng(0).poisson(3.0, (5, 8, 9)).astype("u2")
        file["entry/instrument/detector/pixel_mask"] = bits.view("i4").reshape(shape)
    np.testing.assert_array_equal(~open_patterns(tmp_path / "a.nxs").mask, np.arange(8)[:, None].repeat(9, 1) == 1)


def test_a_link_to_a_detector_leads_to_all_that_belongs_to_it(tmp_path) -> None:
    with h5py.File(tmp_path / "a.cxi", "w") as file:
        file["cxi_version"], file["entry_1/instrument_1/source_1/energy"] = 150, 1600 * 1.602176634e-19
        for number, distance in ((1, 0.5), (2, 2.4)):
            group = file.create_group(f"entry_1/instrument_1/detector_{number}")
            group["data"], group["distance"] = counts(seed=number), distance
        file["rear"] = h5py.SoftLink("/entry_1/instrument_1/detector_2")
    opened = open_patterns(tmp_path / "a.cxi", PatternKeys(photons="rear/data"))
    np.testing.assert_array_equal(opened.read(range(6)), counts(seed=2))
    assert opened.geometry["distance"] == 2.4 and opened.geometry["photon_energy"] == pytest.approx(1600)


def test_a_mask_over_saturated_pixels_of_some_frames_is_no_mistake(tmp_path) -> None:
    photons = np.random.default_rng(0).poisson(3.0, (6, 8, 9)).astype("u2")
    mask = np.zeros(photons.shape, "u1")
    mask[:, 3], mask[::2, 0] = 1, 1
    photons[mask == 1] = 65535
    opened = open_patterns(write(tmp_path / "a.h5", patterns=photons, mask=mask))
    np.testing.assert_array_equal(opened.mask, mask == 0)
    assert not any("WARNING" in str(note) for note in opened.notes)


@pytest.mark.filterwarnings("error")
def test_half_precision_counts(tmp_path) -> None:
    opened = open_patterns(write(tmp_path / "a.h5", patterns=counts().astype("f2")))
    np.testing.assert_array_equal(opened.read(range(6)), counts())


def test_what_is_no_count_beyond_the_frames_looked_at_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("spi_lightning.io.masks.sentinels._SEARCHED", 0)  # bytes: of a large file not all is searched
    photons = np.random.default_rng(0).poisson(3.0, (200, 8, 9)).astype("u4")
    photons[102, 3, 3] = 2**32 - 1
    file = open_patterns(write(tmp_path / "a.h5", patterns=photons))
    with pytest.raises(UserError, match=r"frame 102: pixel \(3, 3\) = 4.295e\+09 is not a possible number of photons"):
        file.read([102])


def test_scattered_minus_one_gets_the_advice_of_a_mask(tmp_path) -> None:
    photons = np.random.default_rng(0).poisson(3.0, (12, 16, 16)).astype("i4")
    photons[np.random.default_rng(1).random(photons.shape) < 0.1] = -1
    with pytest.raises(UserError, match=r"data\.keys\.mask=") as error:
        open_patterns(write(tmp_path / "a.h5", patterns=photons))
    assert "adu" not in str(error.value)


def _file_with(tmp_path: Path, name: str, values: list[object]) -> Path:
    path = tmp_path / "labels.h5"
    with h5py.File(path, "w") as file:
        file["run/adu"] = counts(6, 32, 32)
        file["run/bad_pixel_map"] = np.zeros((32, 32), np.uint8)
        file[name] = values
    return path


def test_words_of_no_known_meaning_leave_the_frames_without_labels(tmp_path: Path) -> None:
    path = _file_with(tmp_path, "label", ["good", "blank", "junk", "good", "junk", "blank"])
    opened = open_patterns(path)
    assert IS_SINGLE_HIT not in opened.labels
    (note,) = [note for note in opened.notes if note.subject == "labels"]
    assert "'blank', 'good', 'junk'" in note.text and "data.keys.positive=WORD" in note.text
    with pytest.raises(UserError, match=r"no labels to train or test on: .*'junk'.*data.keys.positive=WORD"):
        labelled_splits(opened, {"train": 1.0, "val": 0.0, "test": 0.0}, 0)
    mapped = open_patterns(path, PatternKeys(positive="good"))
    assert mapped.labels[IS_SINGLE_HIT].tolist() == [1, 0, 0, 1, 0, 0]
    with pytest.raises(UserError, match="'junk'"):
        open_patterns(path, PatternKeys(label="label"))


def test_none_leaves_out_what_a_file_has(tmp_path: Path) -> None:
    path = _file_with(tmp_path, "is_single_hit", [1, 0, 0, 1, 0, 0])
    with h5py.File(path, "a") as file:
        file["mask"] = np.eye(32, dtype=np.uint8)
        file["particle_id"] = np.arange(6)
    assert open_patterns(path).shared_mask is not None
    keys = PatternKeys(None, "none", "none", "None", "none", "none")
    opened = open_patterns(path, keys)
    assert opened.labels == {} and opened.shared_mask is None and len(opened) == 6


def test_zeros_and_ones_of_every_frame_are_offered_as_labels(tmp_path: Path) -> None:
    path = _file_with(tmp_path, "run/is_single", [1, 0, 0, 1, 0, 0])
    opened = open_patterns(path)
    assert IS_SINGLE_HIT not in opened.labels
    texts = [note.text for note in opened.notes]
    assert any(text.endswith("data.keys.label=run/is_single") for text in texts)
    assert any(text.startswith("run/bad_pixel_map may be a mask") for text in texts)
    assert not [note for note in open_patterns(path, PatternKeys(label="none")).notes if note.subject == "labels"]


def test_a_whitefield_is_neither_patterns_nor_applied_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", entry__data=counts(6, 32, 32))
    with h5py.File(path, "a") as file:
        file["detector/whitefield"], file["detector/flat_field"] = np.full((32, 32), 0.5), np.ones((32, 32))
        file["dark_hits"] = np.ones((32, 32))
    opened = open_patterns(path)
    assert np.array_equal(opened.read(range(6)), counts(6, 32, 32))
    assert any(
        note.text.startswith("detector/flat_field, detector/whitefield: corrections of the detector are not applied")
        for note in opened.notes
    )
