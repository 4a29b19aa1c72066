"""The same space by KerasTuner, whose oracle hands out the trials of the list.

python -m peers.tuner TASK.json
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.trial import TrialStatus

from peers.inputs import load
from peers.networks import Photos, backbone, classifier, phases, train
from peers.task import Task, tell
from peers.trials import DEPTHS, DROPOUTS, HEAD_RATES, RATES, Trial


class ListOracle(keras_tuner.Oracle):
    """Proposes the trials of a list, one after the other."""

    def __init__(self, trials: tuple[Trial, ...]) -> None:
        objective = keras_tuner.Objective("val_accuracy", "max")
        super().__init__(objective=objective, max_trials=len(trials))
        self._listed = trials

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        listed = self._listed[int(trial_id)]
        return {"status": TrialStatus.RUNNING, "values": listed.parameters()}


class TransferLearning(keras_tuner.HyperModel):
    """The network of a trial, and its one or two fits."""

    def __init__(self, task: Task, classes: int) -> None:
        super().__init__()
        self._task = task
        self._classes = classes
        self._base: keras.Model | None = None

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        keras.utils.set_random_seed(self._task.setting.seed)
        size = self._task.setting.image_size
        trial = suggest(hp, self._task.trials)
        self._base = backbone(trial, size)
        return classifier(self._base, trial, size, self._classes)

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        batches: tf.data.Dataset,
        validation_data: tf.data.Dataset,
        callbacks: list[keras.callbacks.Callback],
        **_: Any,
    ) -> dict[str, float]:
        trial = suggest(hp, self._task.trials)
        photos = Photos(batches, validation_data, self._classes)
        reached = train(model, self._base, phases(trial, self._task), photos, callbacks)
        return {"val_accuracy": max(reached)}


def suggest(hp: keras_tuner.HyperParameters, listed: tuple[Trial, ...]) -> Trial:
    """The parameters of one trial, each from its range."""
    parameters = {
        "strategy": hp.Choice("strategy", sorted({t.strategy for t in listed})),
        "backbone": hp.Choice("backbone", sorted({t.backbone for t in listed})),
        "augment": hp.Choice("augment", sorted({t.augment for t in listed})),
        "head_learning_rate": hp.Float("head_learning_rate", *HEAD_RATES, sampling="log"),
        "dropout": hp.Float("dropout", *DROPOUTS),
    }
    if parameters["strategy"] == "fine_tune":
        with hp.conditional_scope("strategy", ["fine_tune"]):
            parameters["unfreeze"] = hp.Int("unfreeze", DEPTHS[0], DEPTHS[-1])
            parameters["learning_rate"] = hp.Float("learning_rate", *RATES, sampling="log")
    return Trial(**parameters)


class TellingTuner(keras_tuner.Tuner):
    """A tuner that says when a trial begins and ends."""

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        tell("trial_started", trial=int(trial.trial_id))

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        values = trial.hyperparameters.values
        score = self.oracle.get_trial(trial.trial_id).score
        tell("trial_ended", trial=int(trial.trial_id), value=score, **values)

    def _configure_tensorboard_dir(self, *_: Any) -> None:
        """KerasTuner 1.4 imports tensorboard here, which TensorFlow no longer brings along, only
        to look for callbacks of its kind; there are none."""


def search(task: Task, folder: Path) -> None:
    """Search over the trials of the task; checkpoints and trials are kept in the folder."""
    photos = load(task.setting)
    hypermodel = TransferLearning(task, photos.classes)
    tuner = TellingTuner(ListOracle(task.trials), hypermodel, directory=folder)
    tuner.search(photos.train, validation_data=photos.validation, verbose=0)


if __name__ == "__main__":
    tell("imported")
    with tempfile.TemporaryDirectory() as checkpoints:
        search(Task.load(sys.argv[1]), Path(checkpoints))
