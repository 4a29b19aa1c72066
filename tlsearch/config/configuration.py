"""One point of the space: what a trial is trained with."""

from __future__ import annotations

from typing import Any, Literal

from tlsearch.config.policy import Augment, label
from tlsearch.config.schema import BackboneChoice, StrategyName
from tlsearch.config.strict import Strict


class Configuration(Strict):
    """The values of one trial. Parameters that do not apply to its strategy are None."""

    backbone: BackboneChoice
    image_size: int
    """Pixels a side."""
    strategy: StrategyName = "feature_extraction"
    unfreeze: int | None = None
    head_learning_rate: float = 1e-3
    learning_rate: float | None = None
    augment: Augment = "none"
    augment_strength: float = 1.0
    """What multiplies the policy's ranges; without augmentation it has no effect."""
    mixup: float = 0.0
    """The alpha of mixup; 0 is off."""
    cutmix: float = 0.0
    """The alpha of CutMix; 0 is off."""
    pooling: Literal["avg", "max"] = "avg"
    hidden_units: int = 0
    dropout: float = 0.2

    def flat(self) -> dict[str, Any]:
        """Name to plain value, as tables, Optuna and MLflow show it; only what applies."""
        values = self.model_dump(exclude_none=True)
        if self.augment == "none":
            del values["augment_strength"]
        return {**values, "backbone": self.backbone.label, "augment": label(self.augment)}
