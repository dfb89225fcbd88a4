from pathlib import Path
from typing import Any

import pytest
import torch

from spi_lightning.data import OnlinePatterns, SimulatedVolumeDataModule
from spi_lightning.errors import UserError
from spi_lightning.fields import AMPLITUDE, FRAME, MASK, PHASE
from spi_lightning.simulate.volumes import VolumeNoise, VolumeSimulator, pattern_of

SMALL = VolumeSimulator(size=16, object_size=8, block_size=4)
NOISY = VolumeSimulator(size=16, object_size=8, block_size=4, noise=VolumeNoise(peak_photons=(1e3, 1e3), gap=(2, 2)))


def module(folder: Path, simulator: VolumeSimulator = SMALL, **options: Any) -> SimulatedVolumeDataModule:
    patterns = {"train": 10, "val": 4, "test": 0}
    data = SimulatedVolumeDataModule(simulator, "any: text", patterns, cache_dir=str(folder), batch_size=5, **options)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("simulator", [SMALL, NOISY])
@pytest.mark.parametrize("online", [False, True])
def test_batches_have_the_agreed_shapes(tmp_path: Path, simulator: VolumeSimulator, online: bool) -> None:
    batch = next(iter(module(tmp_path, simulator, online=online).train_dataloader()))
    assert batch["fourier_amplitude"].shape == batch[MASK].shape == (5, 1, 16, 16, 16)
    assert batch[AMPLITUDE].shape == batch[PHASE].shape == (5, 1, 8, 8, 8)
    assert {batch[name].dtype for name in ("fourier_amplitude", AMPLITUDE, PHASE)} == {torch.float32}
    assert batch[MASK].dtype == torch.bool
    assert (batch["fourier_amplitude"][~batch[MASK]] == 0).all()
    if simulator is SMALL:
        expected = pattern_of(batch[AMPLITUDE], batch[PHASE], 16)
        torch.testing.assert_close(batch["fourier_amplitude"], expected)


def test_online_and_file_are_the_same_particles(tmp_path: Path) -> None:
    stored = module(tmp_path, NOISY).splits["train"][[7, 2]]
    drawn = OnlinePatterns(NOISY, module(tmp_path, NOISY).as_batch, seed=0)[[7, 2]]
    assert stored[FRAME].tolist() == drawn[FRAME].tolist() == [7, 2]
    assert torch.equal(stored["fourier_amplitude"], drawn["fourier_amplitude"])
    torch.testing.assert_close(stored[PHASE], drawn[PHASE], atol=1e-3, rtol=0)  # half floats


def test_online_epochs_never_repeat_a_particle(tmp_path: Path) -> None:
    loader = module(tmp_path, online=True).train_dataloader()
    frames = torch.cat([batch[FRAME] for _ in range(3) for batch in loader])
    assert len(frames.unique()) == len(frames) == 30


def test_splits_share_no_particle(tmp_path: Path) -> None:
    splits = module(tmp_path).splits
    assert not torch.equal(splits["train"][[0]][PHASE], splits["val"][[0]][PHASE])


def test_workers_cannot_share_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.num_workers=0"):
        module(tmp_path, device="cuda", num_workers=1)
