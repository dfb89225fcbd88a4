import h5py
import numpy as np
from hydra.utils import instantiate

from spi_lightning.evaluation.hits.layers import layer_maps, write_layer_maps
from spi_lightning.methods import CheckpointMethod


def test_every_convolution_shows_its_maps(make_run, make_file, tmp_path) -> None:
    method, patterns = CheckpointMethod("run", make_run(), instantiate), make_file()
    maps = layer_maps(method, patterns, 3)
    assert [values.shape[0] for values in maps.values()] == [5, 3, 2]
    assert all(np.isfinite(values).all() for values in maps.values())
    assert not any(module._forward_hooks for module in method.task.network.modules())
    write_layer_maps(tmp_path / "layers.h5", method.name, 3, patterns.read([3])[0], maps)
    with h5py.File(tmp_path / "layers.h5") as file:
        assert list(file["maps"]) == list(maps) and file.attrs["frame"] == 3
