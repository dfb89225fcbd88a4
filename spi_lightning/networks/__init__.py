"""Neural networks as plain nn.Modules. They know nothing of Lightning, files or losses.

Every classifier answers ``network(pattern) -> logits`` and ``network.features(pattern) -> (B, d)``, its penultimate
values; ``network.head`` turns the second into the first.
"""

from spi_lightning.networks.batch_norm import SharedBatchNorm2d, SharedBatchNorm3d
from spi_lightning.networks.complex_encoder_decoder import ComplexEncoderDecoder
from spi_lightning.networks.healing_unet import HealingUNet
from spi_lightning.networks.logistic_head import LogisticHead
from spi_lightning.networks.members import Members
from spi_lightning.networks.projected_unet import ProjectedUNet
from spi_lightning.networks.resnet10 import ResNet10
from spi_lightning.networks.support_encoder_decoder import SupportEncoderDecoder
from spi_lightning.networks.tiny_cnn import TinyCNN
from spi_lightning.networks.unet import UNet
from spi_lightning.networks.vgg16 import VGG16

__all__ = [
    "VGG16",
    "ComplexEncoderDecoder",
    "HealingUNet",
    "LogisticHead",
    "Members",
    "ProjectedUNet",
    "ResNet10",
    "SharedBatchNorm2d",
    "SharedBatchNorm3d",
    "SupportEncoderDecoder",
    "TinyCNN",
    "UNet",
]
