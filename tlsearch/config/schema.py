"""The sweep file as pydantic models: one class for each of its sections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from tlsearch.backbones.table import BACKBONES
from tlsearch.config.parameters import (
    CHOICES,
    EITHER,
    RANGE,
    Choices,
    FloatRange,
    IntRange,
    Scalar,
    one_of,
)
from tlsearch.config.policy import Augment, label
from tlsearch.config.strict import Strict

FINE_TUNE = {"strategy": "fine_tune"}


class Split(Strict):
    """Shares of the photos. A split that the source itself names keeps its photos."""

    train: float = Field(default=0.8, gt=0, lt=1)
    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, gt=0, lt=1)
    seed: int = 7

    @model_validator(mode="after")
    def _adds_up(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must be 1 (their sum is {total:g})")
        return self


class Generated(Strict):
    """How many photos `source: generated:flowers` draws, and how large."""

    photos_per_class: int = Field(default=120, ge=1)
    size: int = Field(default=128, ge=32, le=512)
    seed: int = 7


class PhotoData(Strict):
    """Which photos, and how they are split."""

    source: str = Field(min_length=1)
    """A folder, a .tgz or .zip (a path or an address), a .csv manifest, or `generated:flowers`.
    A relative path in a sweep file starts at the file's folder."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """What the archive's SHA-256 must be."""
    split: Split = Split()
    max_unreadable: float = Field(default=0.01, ge=0, le=1)
    """The share of photos that may be unreadable; above it nothing starts."""
    generated: Generated = Generated()


class Data(PhotoData):
    """The photos of a sweep."""

    views: Annotated[int, Field(ge=1)] | Literal["online"] = 4
    """How many views of each training photo augmented trials draw from, where what a frozen prefix
    makes of them is stored: the photo itself, and renditions of it. `online` makes new renditions
    in every epoch instead, and stores none."""


class Objective(Strict):
    """What the sweep looks for, always on the validation split."""

    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    direction: Literal["maximize", "minimize"] = "maximize"

    @model_validator(mode="after")
    def _direction_fits(self) -> Objective:
        wanted = "minimize" if self.metric == "val_loss" else "maximize"
        if self.direction != wanted:
            raise ValueError(f"{self.metric} is to {wanted} (received {self.direction})")
        return self


class Budget(Strict):
    """When the search ends: whichever is spent first."""

    trials: int = Field(default=20, ge=1)
    hours: float | None = Field(default=None, gt=0)


class Screening(Strict):
    """Before the search: a linear probe of each backbone on some of the photos."""

    keep: int = Field(default=3, ge=1)
    """How many backbones stay in the space, and those that `enqueue` names; they are tried first,
    the best before the others. With no more backbones than that nothing is screened."""


class Search(Strict):
    """How the next trial is proposed, and when one is given up early."""

    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["hyperband", "median", "none"] = "hyperband"
    seed: int = Field(default=0, ge=0)
    storage: str | None = None
    """An Optuna RDB address; default: SQLite under TLSEARCH_HOME. One with a password belongs into
    the environment: TLSEARCH_STORAGE."""
    screening: Screening | None = None
    """null, the default, searches all backbones from the start."""
    enqueue: list[dict[str, Scalar]] = Field(default=[])
    """Parameters of trials to run first, as tables show them; what one leaves out is sampled."""


KERASHUB = "kerashub:"
WEIGHTS = ("imagenet", "builtin", "random")
"""The weights that go by a word; anything else is a file."""


class BackboneChoice(Strict):
    """A backbone by name, or a `.keras` file, or `kerashub:PRESET`."""

    name: str
    alpha: float | None = Field(default=None, gt=0)
    """The width multiplier, for MobileNet and MobileNetV2."""
    weights: str = "imagenet"
    """`imagenet`, `builtin` (ResNet10, whose default it is), or a `.weights.h5` or `.h5` file;
    `random` is for pretraining."""

    @model_validator(mode="before")
    @classmethod
    def _own_weights(cls, value: Any) -> Any:
        """A network whose weights come with tlsearch starts from these."""
        if isinstance(value, dict) and default_weights(value.get("name")) == "builtin":
            return {"weights": "builtin", **value}
        return value

    @property
    def label(self) -> str:
        """How Optuna, MLflow and tables show it: files by their names, wherever they lie."""
        name = Path(self.name).name if self.is_file else self.name
        extras = [f"alpha={self.alpha:g}"] if self.alpha is not None else []
        usual = self.weights == default_weights(self.name)
        extras += [] if usual else [f"weights={Path(self.weights).name}"]
        return f"{name}({', '.join(extras)})" if extras else name

    @property
    def is_file(self) -> bool:
        """Whether it is a user's own model."""
        return self.name.endswith(".keras")

    @property
    def weights_path(self) -> Path | None:
        """The user's own weights file, if it is one."""
        return None if self.weights in WEIGHTS else Path(self.weights).expanduser()

    @property
    def preset(self) -> str | None:
        """The KerasHub preset, if it is one."""
        is_preset = self.name.startswith(KERASHUB)
        return self.name.removeprefix(KERASHUB) if is_preset else None


def default_weights(name: Any) -> str:
    """The weights of a backbone that names none."""
    row = BACKBONES.get(name) if isinstance(name, str) else None
    return row.weights if row else "imagenet"


def _backbone(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Backbone = Annotated[BackboneChoice, BeforeValidator(_backbone)]
ImageSize = Annotated[int, Field(ge=16, le=2048)]
Depth = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=0)]
LearningRate = Annotated[float, Field(gt=0)]
DropoutRate = Annotated[float, Field(ge=0, lt=1)]
Depths = Annotated[Annotated[Choices[Depth], CHOICES] | Annotated[IntRange[Depth], RANGE], EITHER]
Widths = Annotated[Annotated[Choices[Width], CHOICES] | Annotated[IntRange[Width], RANGE], EITHER]
LearningRates = Annotated[
    Annotated[Choices[LearningRate], CHOICES] | Annotated[FloatRange[LearningRate], RANGE], EITHER
]
DropoutRates = Annotated[
    Annotated[Choices[DropoutRate], CHOICES] | Annotated[FloatRange[DropoutRate], RANGE], EITHER
]
Strength = Annotated[float, Field(ge=0, le=5)]
Alpha = Annotated[float, Field(ge=0, le=10)]
Strengths = Annotated[
    Annotated[Choices[Strength], CHOICES] | Annotated[FloatRange[Strength], RANGE], EITHER
]
Alphas = Annotated[Annotated[Choices[Alpha], CHOICES] | Annotated[FloatRange[Alpha], RANGE], EITHER]
StrategyName = Literal["feature_extraction", "fine_tune", "from_scratch"]


class Space(Strict):
    """What is searched. Each entry is a value, a list of choices, or a range."""

    backbone: Choices[Backbone]
    image_size: Choices[ImageSize | None] = Field(default=one_of(None), validate_default=True)
    """Pixels a side; null is the size the backbone was trained at."""
    strategy: Choices[StrategyName] = Field(
        default=one_of("feature_extraction"), validate_default=True
    )
    unfreeze: Depths = Field(default=one_of(1, when=FINE_TUNE), validate_default=True)
    """How many blocks learn too, counted from the top."""
    head_learning_rate: LearningRates = Field(default=one_of(1e-3), validate_default=True)
    """For what starts from random: the head, or with `from_scratch` everything."""
    learning_rate: LearningRates = Field(
        default=one_of(1e-4, when=FINE_TUNE), validate_default=True
    )
    """For the unfrozen blocks."""
    augment: Choices[Augment] = Field(default=one_of("none"), validate_default=True)
    """`light`, `strong` or `randaugment`, or values of your own under a name."""
    augment_strength: Strengths = Field(default=one_of(1.0), validate_default=True)
    """What multiplies all ranges of the policy, or the magnitude of RandAugment. Trials share
    stored views where they have the same: a range without a `step` makes each compute its own."""
    mixup: Alphas = Field(default=one_of(0.0), validate_default=True)
    """The alpha of mixup (Zhang et al. 2018); 0 is off. A trial that blends photos runs its whole
    network on them in every epoch: nothing that is stored helps it."""
    cutmix: Alphas = Field(default=one_of(0.0), validate_default=True)
    """The alpha of CutMix (Yun et al. 2019), likewise; with both, each batch draws one of them."""
    pooling: Choices[Literal["avg", "max"]] = Field(default=one_of("avg"), validate_default=True)
    hidden_units: Widths = Field(default=one_of(0), validate_default=True)
    """Width of a hidden layer in the head; 0 is none."""
    dropout: DropoutRates = Field(default=one_of(0.2), validate_default=True)

    @field_validator("backbone")
    @classmethod
    def _backbones_differ(cls, value: Choices[Backbone]) -> Choices[Backbone]:
        if twice := _twice([backbone.label for backbone in value.choices]):
            raise ValueError(
                f"two backbones are called {twice}: files go by their names, so rename one"
            )
        return value

    @field_validator("augment")
    @classmethod
    def _policies_differ(cls, value: Choices[Augment]) -> Choices[Augment]:
        if twice := _twice([label(policy) for policy in value.choices]):
            raise ValueError(f"two policies are called {twice}")
        return value

    @field_validator("augment_strength")
    @classmethod
    def _is_of_an_augmentation(cls, value: Any, info: ValidationInfo) -> Any:
        """Ask for a strength only where there is something to be strong."""
        augment = info.data.get("augment")
        if augment is None or "augment" in (value.when or {}):
            return value
        strong = [label(policy) for policy in augment.choices if policy != "none"]
        return value.model_copy(update={"when": {**(value.when or {}), "augment": strong}})


def _twice(names: Sequence[str]) -> str | None:
    """A name that is given more than once."""
    return next((name for name in names if names.count(name) > 1), None)


class EarlyStopping(Strict):
    patience: int = Field(default=4, ge=1)
    """Epochs without a better objective after which a trial ends."""


class Train(Strict):
    """What every trial has in common."""

    epochs: int = Field(default=20, ge=1)
    """In total; with `fine_tune`, the first `head_epochs` of them train the head alone."""
    head_epochs: int = Field(default=3, ge=0)
    batch_size: int = Field(default=64, ge=1)
    early_stopping: EarlyStopping | None = EarlyStopping()
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["cosine", "constant"] = "cosine"
    """How the learning rate goes down over the epochs of each phase (Loshchilov & Hutter 2017)."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """auto: mixed_bfloat16 on a GPU that has it, float32 elsewhere."""
    batch_norm: Literal["frozen", "train"] = "frozen"
    """Whether batch normalisation in unfrozen blocks stays in inference mode."""
    output: Literal["softmax", "sigmoid"] = "softmax"
    """`sigmoid` is one output for two classes."""


class Execution(Strict):
    """Where trials run."""

    backend: Literal["local"] = "local"
    workers: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """auto: one for each GPU, one on a machine without."""
    trial_timeout: float = Field(default=1800, gt=0)
    """Seconds in which a worker makes no progress, not a batch, after which it is replaced. A
    network that is being compiled makes none, for some minutes at most."""
    min_free_gb: float = Field(default=1, ge=0)
    """With less free space under TLSEARCH_HOME no new trial is begun; 0 is no such floor."""

    @property
    def min_free(self) -> int:
        """The same in bytes."""
        return round(self.min_free_gb * 10**9)


class Store(Strict):
    """What frozen prefixes make of the photos, kept on disk for epochs, trials and sweeps."""

    use: Literal["auto", "always", "never"] = "auto"
    """auto: where reading is cheaper than computing again."""
    limit_gb: float = Field(default=20, gt=0)
    """Above it, what was not used for longest goes."""

    @property
    def limit(self) -> int:
        """The same in bytes."""
        return round(self.limit_gb * 10**9)


class OnFailure(Strict):
    max_attempts: int = Field(default=3, ge=1)
    """How often in a row a trial is started whose worker process dies, or makes no progress, before
    it comes an epoch further."""
    max_consecutive: int = Field(default=5, ge=1)
    """The sweep stops after so many failed trials in a row."""
    out_of_memory: Literal["halve_batch", "fail"] = "halve_batch"
    """halve_batch: the trial goes on in a new process with half as many photos at a time, and
    averages gradients, so that each step still learns from `train.batch_size` photos."""


class Checkpoints(Strict):
    """Which trained weights stay under TLSEARCH_HOME."""

    keep: Literal["all", "best", "none"] = "all"
    """Of finished trials: all; only those that may still become the champion or what it is
    compared with; none, once the champion is exported. `tlsearch export --trial N` needs them."""


class Export(Strict):
    """What happens to the champion."""

    register_as: str | None = Field(default=None, alias="register")
    """The name in the model registry; null does not register."""
    tolerance: float = Field(default=1e-3, gt=0)
    """The largest difference of a probability between Keras and ONNX that is let through."""
    calibrate: bool = True
    """Divide the logits by a temperature that is fitted on validation (Guo et al. 2017): the
    probabilities then mean what they say, and no answer changes."""
    variants: list[Literal["fp32", "fp16", "int8"]] = Field(default=["fp32"])
    """The precisions that are made; fp32 always is."""
    max_accuracy_loss: float = Field(default=0.005, ge=0, lt=1)
    """A variant that loses more of the accuracy on validation is left out, and so is one that is
    not faster than fp32 on the machine that exports."""


class Tracking(Strict):
    """Where runs are logged."""

    uri: str | None = None
    """An MLflow server or database; default: SQLite under TLSEARCH_HOME."""
    experiment: str | None = None
    """Default: the `name` above."""


class Sweep(Strict):
    """One sweep file: what to search, on which data, with which budget."""

    version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    data: Data
    objective: Objective = Objective()
    budget: Budget = Budget()
    search: Search = Search()
    space: Space
    train: Train = Train()
    execution: Execution = Execution()
    store: Store = Store()
    on_failure: OnFailure = OnFailure()
    checkpoints: Checkpoints = Checkpoints()
    export: Export = Export()
    tracking: Tracking = Tracking()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by value: `Choices[...]` has no name that pickle could find its class by."""
        return Sweep.model_validate, (self.model_dump(by_alias=True),)
