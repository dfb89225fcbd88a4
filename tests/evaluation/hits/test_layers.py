import numpy as np
from hydra.utils import instantiate

from spi_lightning.evaluation.hits.layers import layer_maps
from spi_lightning.methods import CheckpointMethod


def test_every_convolution_shows_its_maps(make_run, make_file) -> None:
    method, patterns = CheckpointMethod("run", make_run(), instantiate), make_file()
    found = layer_maps(method, patterns, 3)
    maps = found.maps
    assert [values.shape[0] for values in maps.values()] == [5, 3, 2]
    assert all(np.isfinite(values).all() for values in maps.values())
    assert not any(module._forward_hooks for module in method.task.network.modules())
    assert found.name == "run" and found.frame == 3
    np.testing.assert_array_equal(found.photons, patterns.read([3])[0])
