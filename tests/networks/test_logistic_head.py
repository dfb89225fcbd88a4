import pytest
import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError
from spi_lightning.networks import LogisticHead


class Rings:
    """A backbone whose features are the photons on the left and on the right of the mask, times a weight."""

    label, width, batch_size, key = "rings", 2, 4, "00"

    def __init__(self, weight: float = 1.0, sha256: str = "ab" * 32) -> None:
        self.network, self.weights_sha256, self.given = nn.Linear(1, 1, bias=False), sha256, False
        nn.init.constant_(self.network.weight, weight)

    def __call__(self, photons: Tensor, mask: Tensor) -> Tensor:
        measured = torch.where(mask, photons, 0.0)[:, 0]
        half = measured.shape[-1] // 2
        return (
            torch.stack([measured[..., :half].sum((1, 2)), measured[..., half:].sum((1, 2))], 1) * self.network.weight
        )

    def weights_loaded(self) -> None:
        self.given = True


def patterns() -> Tensor:
    return torch.cat([torch.rand(3, 1, 4, 4), torch.ones(3, 1, 4, 4)], dim=1)


def test_head_of_features_is_the_answer_and_the_mask_counts() -> None:
    network, pattern = LogisticHead(Rings(), classes=5), patterns()
    nn.init.normal_(network.head.weight)
    torch.testing.assert_close(network.head(network.features(pattern)), network(pattern))
    known = torch.rand(3, 2)
    with network.knowing(known):
        torch.testing.assert_close(network(pattern), network.head(known))
    assert network.features(pattern) is not known
    pattern[:, 1, :, :2] = 0
    assert (network.features(pattern)[:, 0] == 0).all() and LogisticHead(Rings())(pattern).shape == (3,)


def test_only_the_head_is_stored_and_trained() -> None:
    network = LogisticHead(Rings())
    assert set(network.state_dict()) == {"head.weight", "head.bias", "backbone_sha256"}
    assert [name for name, _ in network.named_parameters()] == ["head.weight", "head.bias"]
    nn.init.ones_(network.head.weight)
    network(patterns()).sum().backward()
    assert network.head.weight.grad is not None and network.backbone.network.weight.grad is None


def test_a_head_refuses_the_features_of_another_backbone() -> None:
    state = LogisticHead(Rings()).state_dict()
    LogisticHead(Rings()).load_state_dict(state)
    with pytest.raises(UserError, match=r"sha256 begins abababab.* of rings now begins cdcdcdcd"):
        LogisticHead(Rings(sha256="cd" * 32)).load_state_dict(state)


def test_fine_tuning_trains_and_stores_the_backbone() -> None:
    network = LogisticHead(Rings(), finetune=True)
    nn.init.ones_(network.head.weight)
    network(patterns()).sum().backward()
    assert network.backbone.network.weight.grad is not None
    elsewhere = LogisticHead(Rings(weight=5.0, sha256="cd" * 32), finetune=True)
    elsewhere.load_state_dict(network.state_dict())
    pattern = patterns()
    torch.testing.assert_close(elsewhere(pattern), network(pattern))
    assert elsewhere.backbone.given
