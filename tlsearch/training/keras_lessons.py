"""Phases that train layers of the backbone: on what is stored below them, or on photos."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from tlsearch.augmentation.mixing import mix
from tlsearch.training.activations import Activations
from tlsearch.training.draws import Draw
from tlsearch.training.learner import Learner
from tlsearch.training.lesson import Counts, Lesson
from tlsearch.training.network import build_network, build_suffix, let_learn, trainable_parameters
from tlsearch.training.phases import Phase
from tlsearch.training.task import Task
from tlsearch.training.views import View
from tlsearch.training.weights import Weights, restore

if TYPE_CHECKING:
    import keras

    from tlsearch.store.rows import Rows
    from tlsearch.training.keras_learner import Examples


class KerasLesson(Lesson):
    """What both kinds share: a model that is made ready and trained."""

    def __init__(self, task: Task, phase: Phase) -> None:
        self._task = task
        self._phase = phase

    @final
    def learner(self, known: Weights) -> Learner:
        from tlsearch.training.compiling import compile_, learning_rate
        from tlsearch.training.keras_learner import KerasLearner

        train, parts = self._task.train, self._task.parts
        restore(self._ready, known)
        model, examples = self._feed(self._ready)
        rate = learning_rate(self._phase, train, self._task.steps, parts)
        compile_(model, train, rate, soft=self._task.mixes, parts=parts)
        return KerasLearner(model, examples, train.batch_size)

    @cached_property
    def _ready(self) -> keras.Model:
        """The model, with nothing but what the phase trains trainable."""
        import keras

        keras.backend.clear_session()
        keras.utils.set_random_seed(self._task.seed)
        keras.config.set_dtype_policy(self._task.precision)
        model, cut = self._build()
        let_learn(model, cut, batch_norm=self._phase.train_batch_norm)
        return model

    @abstractmethod
    def _build(self) -> tuple[keras.Model, str | None]:
        """The model, and the cut in it above which it learns; None is all of it."""

    @abstractmethod
    def _feed(self, model: keras.Model) -> tuple[keras.Model, Examples]:
        """The model over what it is fed with, and what it is trained on and judged by."""


@final
class SuffixLesson(KerasLesson):
    """The layers above a cut, on activations that are stored there."""

    def __init__(self, task: Task, phase: Phase, activations: Activations) -> None:
        super().__init__(task, phase)
        self._activations = activations
        assert phase.cut is not None
        self._cut: str = phase.cut

    def counts(self) -> Counts:
        below = self._activations.frozen.parameters_below(self._cut)
        return Counts(below + self._ready.count_params(), trainable_parameters(self._ready))

    def _build(self) -> tuple[keras.Model, str | None]:
        task = self._task
        frozen = self._activations.frozen
        return build_suffix(frozen, self._cut, task.configuration, task.outputs), None

    def _feed(self, model: keras.Model) -> tuple[keras.Model, Examples]:
        from tlsearch.training import on_device

        if not on_device.gpus():
            return model, self._from_store()
        stored, views = self._activations, self._task.shown
        parts = stored.rows("train", self._cut, views)
        parts += stored.rows("validation", self._cut, [View()])
        if on_device.fits(parts):
            return self._from_device(model, parts)
        return model, self._from_store()

    def _from_store(self) -> Examples:
        from tlsearch.training.keras_learner import Examples

        task = self._task
        shown = self._activations.mixture("train", self._cut, task.shown)
        judged = self._activations.mixture("validation", self._cut, [View()])
        labels = task.labels["train"]
        return Examples(
            show=lambda places, draw: (shown.take(places, draw), labels[places]),
            look=judged.look,
            judged=len(task.labels["validation"]),
        )

    def _from_device(self, model: keras.Model, parts: list[Rows]) -> tuple[keras.Model, Examples]:
        from tlsearch.training.keras_learner import Examples
        from tlsearch.training.on_device import Lookup, looked_up

        lookup, last = Lookup(parts), len(parts) - 1
        labels = self._task.labels["train"]
        examples = Examples(
            show=lambda places, draw: (lookup.place(draw.views[places], places), labels[places]),
            look=lambda places: lookup.place(last, places),
            judged=len(self._task.labels["validation"]),
        )
        return looked_up(model, lookup), examples


@final
class PhotoLesson(KerasLesson):
    """The whole network on photos; what is frozen in it is run in every step."""

    def counts(self) -> Counts:
        return Counts(self._ready.count_params(), trainable_parameters(self._ready))

    def _build(self) -> tuple[keras.Model, str | None]:
        task = self._task
        return build_network(task.configuration, task.classes, task.train), self._phase.cut

    def _feed(self, model: keras.Model) -> tuple[keras.Model, Examples]:
        from tlsearch.training.keras_learner import Examples

        validation = self._task.photos["validation"]
        return model, Examples(show=self._show, look=validation.take, judged=len(validation))

    def _show(self, places: np.ndarray, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        task = self._task
        photos = task.photos["train"].take(places)
        if task.renderer is not None:
            photos = task.renderer.render(photos, draw.seeds[places])
        labels = task.labels["train"][places]
        if not task.mixes:
            return photos, labels
        chosen = task.configuration
        targets = np.eye(task.classes, dtype="float32")[labels]
        random = np.random.default_rng(draw.seeds[places[0]])
        photos, targets = mix(photos, targets, random, mixup=chosen.mixup, cutmix=chosen.cutmix)
        return photos, targets if task.outputs > 1 else targets[:, 1:]
