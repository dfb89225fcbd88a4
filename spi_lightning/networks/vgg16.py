"""VGG16, the sixteen-layer network of Simonyan & Zisserman (2015), for weights pretrained on photographs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from spi_lightning.errors import UserError

CONVOLUTIONS = (2, 2, 3, 3, 3)  # in each stage, configuration D
_NAMED = 3  # names in a message


def _layers() -> dict[str, str]:
    """Modules before their ReLU by the layer names of the paper; the module after is the next one."""
    names, position = {}, 0
    for stage, convolutions in enumerate(CONVOLUTIONS, start=1):
        for number in range(1, convolutions + 1):
            names[f"conv{stage}_{number}"] = f"features.{position}"
            position += 2
        position += 1  # the maximum that ends a stage
    return {**names, "fc6": "classifier.0", "fc7": "classifier.3"}


LAYERS = _layers()


class VGG16(nn.Module):
    """Image classifier, configuration D: images (B, 3, 224, 224) -> logits (B, 1000).

    Thirteen 3 x 3 convolutions in five stages, each ended by a 2 x 2 maximum, and three dense layers, fc6, fc7 and fc8:
    138,357,544 parameters. Names and shapes of all parameters are those of torchvision, so its file of ImageNet weights
    fits (``features.0.weight`` ... ``features.28.bias``, ``classifier.0``, ``.3``, ``.6``). Images of another size are
    averaged to 7 x 7 before fc6.

    Args:
        widths: Number of channels of the five stages.
        hidden: Number of units of fc6 and fc7.
        classes: Number of units of fc8.

    Source: Simonyan & Zisserman (2015), Table 1, column D, arXiv:1409.1556.
    """

    def __init__(
        self, widths: Sequence[int] = (64, 128, 256, 512, 512), hidden: int = 4096, classes: int = 1000
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, convolutions in zip(widths, CONVOLUTIONS, strict=True):
            for _ in range(convolutions):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            *(nn.Linear(49 * before, hidden), nn.ReLU(), nn.Dropout(0.5)),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5)),
            nn.Linear(hidden, classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, classes)."""
        logits: Tensor = self.classifier(self.avgpool(self.features(image)).flatten(1))
        return logits

    @torch.no_grad()
    def randomise(self, seed: int) -> None:
        """Initialise all weights so that activations keep their size (He et al., 2015, Eq. 10); biases are zero."""
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                inputs = module.weight[0].numel()
                module.weight.normal_(0, (2 / inputs) ** 0.5, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()

    def take(self, weights: Mapping[str, Tensor], path: Path | str) -> None:
        """Load the tensors of a file, without copies of those that are float32.

        Raises:
            UserError: Names are missing or unknown, or a shape does not match; the message names ``path``.
        """
        expected = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        missing, unknown = sorted(expected.keys() - weights), sorted(weights.keys() - expected)
        wrong = [name for name in expected if name in weights and weights[name].shape != expected[name]]
        faults = [f"lacks {_some(missing)}"] if missing else []
        faults += [f"has unknown {_some(unknown)}"] if unknown else []
        faults += [f"{name} is {tuple(weights[name].shape)}, not {expected[name]}" for name in wrong[:1]]
        if faults:
            raise UserError(f"{path}: not a VGG16 as torchvision names its weights: {'; '.join(faults)}")
        self.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)


def _some(names: Sequence[str]) -> str:
    """First names of a list and the number of the others."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
