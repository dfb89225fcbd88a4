"""Task of hit classification on features that a frozen network computes once, and its logistic head."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor

from spi_lightning.data.feature_cache import FeatureDataset, cached_features
from spi_lightning.data.hits import HitDataset
from spi_lightning.data.transforms import Preprocess
from spi_lightning.errors import UserError
from spi_lightning.fields import FEATURES, Batch
from spi_lightning.locations import CACHE
from spi_lightning.networks.logistic_head import LogisticHead
from spi_lightning.tasks.hit_classification import HitClassification

from .backbone import PENULTIMATE, STAND_IN, FrozenCheckpoint
from .vgg16 import FrozenVGG16


def logistic_head(
    weights: str | None = "auto",
    backbone: str | None = None,
    layers: Sequence[str] | None = None,
    classes: int = 1,
    finetune: bool = False,
    **vgg16: Any,
) -> LogisticHead:
    """Logistic head on features of frozen VGG16, or of a network of this project.

    Args:
        weights: Weights of VGG16, see FrozenVGG16; None: no VGG16.
        backbone: Run folder or checkpoint of another backbone with weights=None, see FrozenCheckpoint.
        layers: Layers of the backbone; None: fc6 and fc7 of VGG16, the penultimate layer of another backbone.
        classes, finetune: Number of classes and training of the backbone, as in LogisticHead.
        **vgg16: Further options of FrozenVGG16; another backbone has none and keeps its own preprocessing.

    Raises:
        UserError: Both or neither of ``weights`` and ``backbone`` are given, or as the two backbones.
    """
    if (weights is None) == (backbone is None):
        choice = f"network.weights={weights} and network.backbone={backbone}" if weights else "neither network.weights"
        raise UserError(f"{choice}{'' if weights else ' nor network.backbone'}: choose one; a stand-in: {STAND_IN}")
    if backbone is not None:
        return LogisticHead(FrozenCheckpoint(backbone, layers or (PENULTIMATE,)), classes, finetune)
    frozen = FrozenVGG16(str(weights), layers or ("fc6", "fc7"), weights_from_checkpoint=finetune, **vgg16)
    if finetune:
        frozen.load()
    return LogisticHead(frozen, classes, finetune)


class TransferClassification(HitClassification):
    """Hit classification with the head of a LogisticHead on features cached on disk.

    The batches of the data module hold features (B, d) besides the patterns, in training instead of them; its splits,
    labels and order stay the same. A trained checkpoint is a common hit classification: from patterns alone it predicts
    with backbone and head.

    Args:
        cache_dir: Folder of the cache, see data.feature_cache.
        feature_dtype: Type of the stored features, ``float32`` or ``float16``.
        **task: Arguments of HitClassification; ``network`` must be a LogisticHead that does not fine-tune.

    Raises:
        UserError: The network is another one, or the patterns of the data module change during training.

    Source: Han & Li (2017), Sect. 4.2.
    """

    def __init__(self, cache_dir: str = str(CACHE), feature_dtype: str = "float32", **task: Any) -> None:
        super().__init__(**task)
        if not isinstance(self.network, LogisticHead) or self.network.finetune:
            raise UserError(
                "task=transfer_classification trains a head alone: set network=vgg16_head and finetune=false"
            )
        self.cache_dir, self.feature_dtype = cache_dir, feature_dtype

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B,) or (B, 5) of a batch of features, or of patterns alone."""
        if FEATURES not in batch:
            return super().forward(batch)
        assert isinstance(self.network, LogisticHead)
        return self.network.logits(batch[FEATURES])

    def setup(self, stage: str) -> None:
        """Replace the patterns of train, val and test by features."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        for name in ("train", "val", "test"):
            if name in data.splits and not isinstance(data.splits[name], FeatureDataset):
                data.splits[name] = self._with_features(data, name)

    def on_fit_start(self) -> None:
        """Check as HitClassification, and set the number of training patterns of the optimiser."""
        super().on_fit_start()
        for optimizer in self.trainer.optimizers:
            if hasattr(optimizer, "patterns"):
                optimizer.patterns = self.trainer.datamodule.patterns_in("train")  # type: ignore[attr-defined]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the checkpoint in use where the settings name a folder of runs, to which newer ones may be added."""
        path = getattr(self.network.backbone, "path", None)
        if path is not None and "config" in checkpoint:
            checkpoint["config"] = deepcopy(checkpoint["config"])
            checkpoint["config"]["task"]["network"]["backbone"] = str(path)

    def _evaluate(self, batch: Batch, stage: str) -> Tensor:
        if FEATURES not in batch:
            return super()._evaluate(batch, stage)
        assert isinstance(self.network, LogisticHead)
        with self.network.knowing(batch[FEATURES]):
            return super()._evaluate(batch, stage)

    def _with_features(self, data: Any, name: str) -> FeatureDataset:
        """One split with the features of each pattern."""
        split = data.splits[name]
        if not isinstance(split, HitDataset):
            raise UserError("features are computed once: set data.online=false")
        if data.augment != "none":
            raise UserError(f"data.augment={data.augment}: features are computed once; set data.augment=none")
        own = self.preprocess
        if not isinstance(own, Preprocess) or own.crop or own.bin != 1 or own.scale != "none":
            raise UserError("features are made from counts as they are: set preprocess=counts_and_mask")
        if self.trainer.world_size > 1:
            raise UserError("the head is trained in one process: set trainer.devices=1")
        assert isinstance(self.network, LogisticHead)
        backbone = self.network.backbone
        rank_zero_info(f"{name}: features of {len(split)} patterns by {backbone.label}")
        device = self.trainer.strategy.root_device
        features = cached_features(split.file, backbone, split.frames, self.cache_dir, self.feature_dtype, device)
        return FeatureDataset(split.file, split.frames, features, patterns=name != "train")
