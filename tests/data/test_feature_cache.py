import json
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spi_lightning.data import feature_cache
from spi_lightning.data.feature_cache import FeatureDataset, cached_features
from spi_lightning.errors import UserError
from spi_lightning.io import PatternFile, open_patterns


class Sums:
    """A backbone of three features, which counts its work."""

    label, width, batch_size, weights_sha256 = "sums", 3, 4, "ab" * 32

    def __init__(self, key: str = "a", stop_after: int | None = None, scale: float = 1.0) -> None:
        self.key, self.stop_after, self.scale, self.seen, self.network = key, stop_after, scale, 0, nn.Identity()

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        if self.stop_after is not None and self.seen >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(photons)
        total = torch.where(mask, photons, 0.0).sum((1, 2, 3))
        return self.scale * torch.stack([total, total**2, mask.float().sum((1, 2, 3))], dim=1)

    def weights_loaded(self) -> None:
        pass


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., PatternFile]:
    def make(masks: str = "shared", change: int = 0) -> PatternFile:
        name = f"{len(list(tmp_path.glob('*.h5')))}.h5"
        photons = np.random.default_rng(0).poisson(2.0, (10, 6, 5)).astype(np.uint16)
        photons[7, 2, 2] += change
        with h5py.File(tmp_path / name, "w") as file:
            file["photons"], file["label"] = photons, np.arange(10) % 3 - 1
            mask = np.ones((10, 6, 5), dtype=np.uint8)
            mask[:, 0] = 0
            mask[3:, 1] = 0 if masks == "each" else 1
            file["mask"] = mask if masks == "each" else mask[0]
        return open_patterns(tmp_path / name, mask_convention="good")

    return make


def expected(file: PatternFile) -> np.ndarray:
    total = file.read(range(10)).sum((1, 2))
    return np.stack([total, total**2, file.read_mask(range(10)).sum((1, 2))], 1)


@pytest.mark.parametrize("masks", ["shared", "each"])
def test_features_are_computed_once_and_for_the_requested_frames(make_file, tmp_path, masks: str) -> None:
    file, backbone = make_file(masks=masks), Sums()
    features = cached_features(file, backbone, np.array([8, 2, 2, 5]), tmp_path)
    assert backbone.seen == 3 and features.shape == (10, 3) and not features[[0, 1, 3, 4, 6, 7, 9]].any()
    np.testing.assert_allclose(features[[2, 5, 8]], expected(file)[[2, 5, 8]])
    assert backbone.seen == 3
    np.testing.assert_allclose(cached_features(file, backbone, cache_dir=tmp_path), expected(file))
    assert backbone.seen == 10
    cached_features(file, backbone, cache_dir=tmp_path)
    assert backbone.seen == 10


def test_only_what_decides_features_makes_them_anew(make_file, tmp_path: Path) -> None:
    cached_features(make_file(), Sums(), cache_dir=tmp_path)

    def work(file: PatternFile, key: str = "a", dtype: str = "float32") -> int:
        backbone = Sums(key)
        cached_features(file, backbone, cache_dir=tmp_path, dtype=dtype)
        return backbone.seen

    assert work(make_file()) == 0
    assert work(make_file(), key="b") == 10 and work(make_file(), dtype="float16") == 10
    assert work(make_file(change=1)) == 10
    assert work(make_file(masks="each")) == 10


def test_an_interrupted_computation_goes_on(make_file, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        cached_features(make_file(), Sums(stop_after=8), cache_dir=tmp_path)
    backbone = Sums()
    features = cached_features(make_file(), backbone, cache_dir=tmp_path)
    np.testing.assert_allclose(features, expected(make_file()))
    assert backbone.seen == 2


@pytest.mark.parametrize(
    ("name", "damage", "again"), [("features", "cut", 10), ("sums", "cut", 10), ("features", "bit", 1)]
)
def test_damaged_features_are_computed_anew_with_a_line(make_file, tmp_path, caplog, name, damage, again) -> None:
    file = make_file()
    cached_features(file, Sums(), cache_dir=tmp_path)
    kept = next(tmp_path.glob(f"features/*/{name}.npy"))
    content = kept.read_bytes()
    kept.write_bytes(content[:-4] if damage == "cut" else content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    backbone = Sums()
    np.testing.assert_allclose(cached_features(file, backbone, cache_dir=tmp_path), expected(file))
    assert backbone.seen == again
    assert caplog.text.count("computed anew") == 1


def test_processes_at_the_same_time_share_the_work(make_file, tmp_path: Path) -> None:
    file, backbones = make_file(), [Sums() for _ in range(4)]
    threads = [
        threading.Thread(target=cached_features, args=(file, backbone), kwargs={"cache_dir": tmp_path})
        for backbone in backbones
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(backbone.seen for backbone in backbones) == 10


def test_half_precision_keeps_three_digits(make_file, tmp_path: Path) -> None:
    features = cached_features(make_file(), Sums(), cache_dir=tmp_path, dtype="float16")
    assert features.dtype == np.float16
    np.testing.assert_allclose(features.astype(float), expected(make_file()), rtol=5e-4)


def test_a_cache_says_what_it_holds(make_file, tmp_path: Path) -> None:
    cached_features(make_file(), Sums(), cache_dir=tmp_path)
    about = json.loads(next(tmp_path.glob("features/*/about.json")).read_text())
    assert about["backbone"] == "sums" and about["shape"] == [10, 3] and about["patterns"].endswith("0.h5")


def test_troubles_are_one_line(make_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="dtype=int8 is unknown"):
        cached_features(make_file(), Sums(), cache_dir=tmp_path, dtype="int8")
    with pytest.raises(UserError, match="NaN or infinite values for frames 0 to 3"):
        cached_features(make_file(), Sums(scale=float("nan")), cache_dir=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written, a folder in its path is a file"):
        cached_features(make_file(), Sums(), cache_dir=tmp_path / "file")

    def full(file: object, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_cache, "_allocate", full)
    with pytest.raises(UserError, match="No space left on device"):
        cached_features(make_file(), Sums("new"), cache_dir=tmp_path)


def test_a_dataset_of_features_keeps_labels_and_order(make_file, tmp_path: Path) -> None:
    file = make_file()
    frames = np.array([7, 1, 4, 9])
    features = cached_features(file, Sums(), frames, tmp_path)
    whole, dataset = FeatureDataset(file, frames, features), FeatureDataset(file, frames, features, patterns=False)
    np.testing.assert_array_equal(whole[[3, 0]]["photons"][:, 0].numpy(), file.read([9, 7]))
    assert set(whole[[3, 0]]) == {*dataset[[3, 0]], "photons", "mask"}
    batch = dataset[[3, 0]]
    assert set(batch) == {"features", "frame", "is_single_hit", "kind", "particle_id"} and len(dataset) == 4
    assert batch["frame"].tolist() == [9, 7] and batch["is_single_hit"].tolist() == [-1, 0]
    np.testing.assert_allclose(batch["features"].numpy(), expected(file)[[9, 7]])
    assert dataset[1]["features"].shape == (3,) and dataset.label("is_single_hit").tolist() == [0, 0, 0, -1]
