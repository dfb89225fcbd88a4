"""Neural networks as plain nn.Modules, independent of Lightning, files and losses.

Every classifier has ``network(pattern) -> logits``, ``network.features(pattern) -> (B, d)`` for its penultimate layer,
and ``network.head``, which maps features to logits.
"""

from .batch_norm import SharedBatchNorm2d, SharedBatchNorm3d
from .complex_encoder_decoder import ComplexEncoderDecoder
from .efficientnet_lite0 import EfficientNetLite0
from .ensemble import Ensemble
from .logistic_head import LogisticHead
from .members import Members
from .projected_unet import ProjectedUNet
from .resnet10 import ResNet10
from .support_encoder_decoder import SupportEncoderDecoder
from .tiny_cnn import TinyCNN
from .unet import HealingUNet, UNet
from .vgg16 import VGG16

__all__ = [
    "VGG16",
    "ComplexEncoderDecoder",
    "EfficientNetLite0",
    "Ensemble",
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
