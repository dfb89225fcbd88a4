"""Occlusion maps, and maps of the layers of a network."""

import numpy as np
import torch
from hydra.utils import instantiate

from spi_lightning.evaluation.hits.pictures import explain, layer_maps, occlusion_maps
from spi_lightning.methods import CheckpointMethod


class BrightCorner(torch.nn.Module):
    """Log odds are the photons of the upper left quarter."""

    def features(self, pattern) -> torch.Tensor:
        return pattern[:, :, :12, :12].sum((2, 3))

    def head(self, features) -> torch.Tensor:
        return features


def test_the_map_has_its_extreme_where_the_answer_depends_on(make_run, make_file) -> None:
    method = CheckpointMethod("corner", make_run(), instantiate)
    method.task.network = BrightCorner()
    method.task.preprocess.scale = "none"
    patterns = make_file()
    found = occlusion_maps(method, patterns, np.array([1, 3]), squares=8)
    assert found.change.shape == (2, 24, 24)
    assert (found.change[:, 2:10, 2:10] >= 0).all() and found.change[:, 6:10, 6:10].mean() > 0.01
    assert np.abs(found.change[:, 16:, 16:]).max() == 0  # out of the network's sight
    assert (found.change[~found.mask] == 0).all()


def test_a_network_without_convolutions_has_an_occlusion_map_alone(make_run, make_file) -> None:
    method = CheckpointMethod("corner", make_run(), instantiate)
    method.task.network = BrightCorner()
    covered, layers = explain([method], make_file(), {"selected": np.array([1])}, 1)
    assert covered is not None and layers is None


def test_every_convolution_shows_its_maps(make_run, make_file) -> None:
    method, patterns = CheckpointMethod("run", make_run(), instantiate), make_file()
    found = layer_maps(method, patterns, 3)
    assert found is not None
    maps = found.maps
    assert [values.shape[0] for values in maps.values()] == [5, 3, 2]
    assert all(np.isfinite(values).all() for values in maps.values())
    assert not any(module._forward_hooks for module in method.task.network.modules())
    assert found.name == "run" and found.frame == 3
    np.testing.assert_array_equal(found.photons, patterns.read([3])[0])
