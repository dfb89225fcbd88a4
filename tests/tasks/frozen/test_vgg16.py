import hashlib
from pathlib import Path

import pytest
import torch

from spi_lightning.errors import UserError
from spi_lightning.io import download
from spi_lightning.networks import VGG16
from spi_lightning.tasks.frozen.vgg16 import FrozenVGG16

TINY = {"widths": (2, 3, 4, 5, 6), "hidden": 7}
PATTERN = torch.poisson(torch.rand(3, 1, 32, 32) * 6), torch.ones(1, 1, 32, 32, dtype=torch.bool)


def tiny(weights: str = "random:0", **options: object) -> FrozenVGG16:
    return FrozenVGG16(weights, **{**TINY, "size": 64, **options})  # type: ignore[arg-type]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny VGG16 in torch.hub's folder, taken for the published one; nothing else is to be had."""
    network = VGG16(**TINY)
    network.randomise(5)
    path = tmp_path / "torch/hub/checkpoints/vgg16-397923af.pth"
    path.parent.mkdir(parents=True)
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    as_published = download.PublishedFile(path.name, "http://127.0.0.1:9/a.pth", sha256, 0)
    monkeypatch.setattr("spi_lightning.tasks.frozen.vgg16.VGG16_IMAGENET", as_published)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.mark.parametrize("relu", ["after", "before"])
def test_features_are_fc6_and_fc7_of_the_image(relu: str) -> None:
    backbone = tiny(relu=relu)
    features = backbone(*PATTERN)
    assert features.shape == (3, backbone.width) == (3, 14)
    image = backbone.view(PATTERN[0], PATTERN[1].expand(3, -1, -1, -1))
    fc6 = backbone.network.classifier[0](backbone.network.avgpool(backbone.network.features(image)).flatten(1))
    fc7 = backbone.network.classifier[3](fc6.relu())
    both = torch.cat([fc6, fc7], 1)
    torch.testing.assert_close(features, both.relu() if relu == "after" else both)
    assert (features < 0).any() == (relu == "before")


def test_the_full_network_has_8192_features_and_loads_nothing_before_it_is_used() -> None:
    backbone = FrozenVGG16("random")
    assert backbone.width == 8192 and next(backbone.network.parameters()).is_meta
    assert FrozenVGG16("random", layers=["conv3_2", "conv5_3", "fc7"]).width == 256 + 512 + 4096


def test_batches_do_not_matter_and_maps_are_averaged() -> None:
    backbone, one = tiny(layers=["conv2_1"], batch_size=2), tiny(layers=["conv2_1"], batch_size=1)
    torch.testing.assert_close(backbone(*PATTERN), one(*PATTERN))
    maps = backbone.maps(*PATTERN, ["conv2_1", "fc6"])
    assert maps["conv2_1"].shape == (3, 3, 32, 32) and maps["fc6"].shape == (3, 7)
    torch.testing.assert_close(maps["conv2_1"].mean((2, 3)), backbone(*PATTERN))
    assert backbone(PATTERN[0][:0], PATTERN[1]).shape == (0, 3)


def test_the_published_file_is_found_checked_and_loaded(published: Path) -> None:
    backbone = tiny("auto", hidden=7)
    assert backbone.label == "VGG16 (ImageNet)" and backbone.weights_sha256.startswith(
        hashlib.sha256(published.read_bytes()).hexdigest()
    )
    found, seeded = backbone(*PATTERN), tiny("random:5")(*PATTERN)
    torch.testing.assert_close(found, seeded)
    torch.testing.assert_close(tiny(str(published))(*PATTERN), found)


def test_keys_differ_with_all_that_decides_features(published: Path) -> None:
    variants = [{}, {"relu": "before"}, {"clip": 5.0}, {"jpeg": 75}, {"layers": ["fc7"]}, {"weights": "random:1"}]
    keys = [tiny(**variant).key for variant in variants] + [tiny("auto").key]
    assert len(set(keys)) == len(keys) and tiny(batch_size=1, clip=10).key == keys[0]


def test_missing_and_wrong_files_are_one_line_with_the_way_out(published: Path, tmp_path: Path) -> None:
    published.rename(tmp_path / "renamed.pth")
    way_out = (
        r"get http://127.*put it into cache/weights or .*network\.weights=PATH.*; a stand-in: network\.weights=null"
    )
    for weights, trouble in (("auto", "cannot be reached"), ("none.pth", "no such file")):
        with pytest.raises(UserError, match=f"{trouble}.*{way_out}") as error:
            tiny(weights)
        assert "\n" not in str(error.value)
    torch.save(VGG16(**TINY).state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth: sha256 begins"):
        tiny("other.pth")
    assert tiny("other.pth", any_weights=True).label == "VGG16 (other.pth)"
    with pytest.raises(UserError, match=r"other\.pth: not a VGG16 .*classifier.0.weight is \(7, 294\), not"):
        tiny("other.pth", any_weights=True, hidden=8)(*PATTERN)


def test_random_weights_say_that_they_mean_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert tiny("random:3").label == "VGG16 with random weights (seed 3)"
    assert "its features mean nothing" in caplog.text
    with pytest.raises(UserError, match="random:x: the seed"):
        tiny("random:x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["fc9"]}, "no layer fc9: choose among conv1_1"),
        ({"relu": "no"}, "relu=no"),
        ({"layers": []}, "=\\[\\]"),
    ],
)
def test_unknown_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny(**options)


def test_weights_that_a_checkpoint_will_bring_may_be_missing(published: Path) -> None:
    published.unlink()
    backbone = tiny("auto", weights_from_checkpoint=True)
    backbone.load()
    with pytest.raises(UserError, match="not on this machine"):
        backbone(*PATTERN)
    configured = VGG16(**TINY).state_dict()
    backbone.network.load_state_dict(configured)
    backbone.weights_loaded()
    assert backbone(*PATTERN).isfinite().all()
