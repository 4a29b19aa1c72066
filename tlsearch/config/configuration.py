"""One point of the space: what a trial is trained with."""

from __future__ import annotations

from typing import Any, Literal

from tlsearch.config.parameters import Strict
from tlsearch.config.schema import BackboneChoice, StrategyName


class Configuration(Strict):
    """The values of one trial. Parameters that do not apply to its strategy are None."""

    backbone: BackboneChoice
    image_size: int
    """Pixels a side."""
    strategy: StrategyName = "feature_extraction"
    unfreeze: int | None = None
    head_learning_rate: float = 1e-3
    learning_rate: float | None = None
    augment: Literal["none", "light", "strong"] = "none"
    pooling: Literal["avg", "max"] = "avg"
    hidden_units: int = 0
    dropout: float = 0.2

    def flat(self) -> dict[str, Any]:
        """Name to plain value, as tables, Optuna and MLflow show it; without what is None."""
        values = self.model_dump(exclude={"backbone"}, exclude_none=True)
        return {"backbone": self.backbone.label, **values}
