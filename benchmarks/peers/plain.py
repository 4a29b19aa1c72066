"""A sweep as people write it: Optuna proposes, `keras.fit` trains.

python -m peers.plain TASK.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import keras
import optuna

from peers.inputs import load
from peers.networks import Photos, backbone, classifier, phases, train
from peers.task import Task, tell
from peers.trials import DEPTHS, DROPOUTS, HEAD_RATES, RATES, Trial

RunTrial = Callable[[Trial, Task, Photos], float]


def suggest(trial: optuna.Trial, listed: tuple[Trial, ...]) -> Trial:
    """The parameters of one trial, each from its range."""
    strategy = trial.suggest_categorical("strategy", sorted({t.strategy for t in listed}))
    parameters = {
        "strategy": strategy,
        "backbone": trial.suggest_categorical("backbone", sorted({t.backbone for t in listed})),
        "augment": trial.suggest_categorical("augment", sorted({t.augment for t in listed})),
        "head_learning_rate": trial.suggest_float("head_learning_rate", *HEAD_RATES, log=True),
        "dropout": trial.suggest_float("dropout", *DROPOUTS),
    }
    if strategy == "fine_tune":
        parameters["unfreeze"] = trial.suggest_int("unfreeze", DEPTHS[0], DEPTHS[-1])
        parameters["learning_rate"] = trial.suggest_float("learning_rate", *RATES, log=True)
    return Trial(**parameters)


def run_trial(trial: Trial, task: Task, photos: Photos) -> float:
    """Train one network; its best validation accuracy."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(task.setting.seed)
    base = backbone(trial, task.setting.image_size)
    model = classifier(base, trial, task.setting.image_size, photos.classes)
    return max(train(model, base, phases(trial, task), photos))


def sweep(file: str, run: RunTrial) -> None:
    """Optimise over the trials of a task file."""
    tell("imported")
    task = Task.load(file)
    photos = load(task.setting)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    for listed in task.trials:
        study.enqueue_trial(listed.parameters())

    def objective(trial: optuna.Trial) -> float:
        chosen = suggest(trial, task.trials)
        tell("trial_started", trial=trial.number)
        value = run(chosen, task, photos)
        tell("trial_ended", trial=trial.number, value=value, **chosen.parameters())
        return value

    study.optimize(objective, n_trials=len(task.trials))


if __name__ == "__main__":
    sweep(sys.argv[1], run_trial)
