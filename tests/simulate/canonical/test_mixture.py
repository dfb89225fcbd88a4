"""Mixture of simulators, and labelled frames as one of them."""

from pathlib import Path

import pytest
import torch

from spi_lightning import codec
from spi_lightning.errors import UserError
from spi_lightning.fields import IS_SINGLE_HIT, KIND, MASK, PHOTONS, Kind
from spi_lightning.simulate import LabelledFrames, Mixture
from spi_lightning.simulate.canonical.mixture import Labelled
from tests.simulate.canonical.test_hits import perfect


def test_parts_are_drawn_in_their_shares_and_a_block_is_fixed() -> None:
    bright, faint = perfect(photons=(1e5, 1e5)), perfect(photons=(1e2, 1e2))
    mixed = Mixture({"bright": bright, "faint": faint}, {"bright": 3, "faint": 1}, block_size=32)
    drawn, again = mixed(4, 7), mixed(4, 7)
    is_bright = drawn["photon_count"] > 1e4
    assert int(is_bright.sum()) == 24 and not is_bright[:24].all(), "in random order"
    assert all(torch.equal(drawn[name], again[name]) for name in drawn)
    assert mixed.of_part("train") is mixed and mixed.of_part("val") is bright
    assert bright.block_size == 16, "the parts themselves keep their blocks"


def test_shares_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="give a, b a share each"):
        Mixture({"a": perfect(), "b": perfect()}, {"a": 1.0})
    with pytest.raises(UserError, match="different sizes: a 64 x 64, b 32 x 32"):
        Mixture({"a": perfect(), "b": perfect(shape=(32, 32))}, {"a": 1.0, "b": 1.0})


def test_labelled_frames_come_with_both_labels_as_often(tmp_path: Path) -> None:
    photons = torch.arange(10.0)[:, None, None].expand(10, 64, 64).contiguous()
    label = torch.tensor([1] * 8 + [0] * 2)
    codec.save(tmp_path / "labelled.h5", Labelled(photons, torch.ones(10, 64, 64, dtype=torch.bool), label))
    frames = LabelledFrames(str(tmp_path / "labelled.h5"), block_size=200)
    drawn = frames(0, 0)
    assert 70 < int(drawn[IS_SINGLE_HIT].sum()) < 130
    assert torch.equal(drawn[IS_SINGLE_HIT] == 1, drawn[PHOTONS][:, 0, 0] < 8)
    assert torch.equal(drawn[KIND] == Kind.SINGLE, drawn[IS_SINGLE_HIT] == 1)
    mixed = Mixture({"own": perfect(), "labelled": frames}, {"own": 0.5, "labelled": 0.5}, block_size=16)(0, 0)
    assert mixed[PHOTONS].shape == mixed[MASK].shape == (16, 64, 64) and "fluence" not in mixed
