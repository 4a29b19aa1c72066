"""Which backbone, with which weights: what a trial says and a worker builds from."""

from __future__ import annotations

from dataclasses import dataclass

_KERASHUB = "kerashub:"


@dataclass(frozen=True)
class BackboneSpec:
    """A row of the table by name, a user's own `.keras` file, or `kerashub:PRESET`.

    `weights` is `imagenet` or the path of a weights file. A `.keras` file and a preset bring their
    own weights, and `imagenet` then means those.
    """

    name: str
    alpha: float | None = None
    weights: str = "imagenet"

    @property
    def label(self) -> str:
        """How Optuna, MLflow and tables show it."""
        extras = [f"alpha={self.alpha:g}"] if self.alpha is not None else []
        extras += [f"weights={self.weights}"] if self.weights != "imagenet" else []
        return f"{self.name}({', '.join(extras)})" if extras else self.name

    @property
    def is_file(self) -> bool:
        return self.name.endswith(".keras")

    @property
    def preset(self) -> str | None:
        """The KerasHub preset, if it is one."""
        is_preset = self.name.startswith(_KERASHUB)
        return self.name.removeprefix(_KERASHUB) if is_preset else None
