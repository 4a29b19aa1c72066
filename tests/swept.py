"""What a sweep called `tiny` has come to, as its study, MLflow and its bundle say."""

from __future__ import annotations

import optuna

from serving import Bundle
from tlsearch.paths import Paths
from tlsearch.tracking.connection import connect
from tlsearch.tracking.location import resolve_uri


def state_of(home, registered=True):
    """Of each trial its number, state, parameters and reported epochs; MLflow's statuses and steps
    of each run, by the trial's number.

    Args:
        registered: there has to be one version of the model, which the alias names.
    """
    study = optuna.load_study(study_name="tiny", storage=f"sqlite:///{home / 'optuna.db'}")
    trials = [
        (trial.number, trial.state.name, trial.params, sorted(trial.intermediate_values))
        for trial in study.get_trials()
    ]
    return trials, *_runs(home, registered)


def champion_of(home):
    """The parameters in the bundle, which must be whole."""
    return Bundle.open(Paths(home).sweep("tiny").bundle).manifest.parameters


def assert_finished(home, trials, epochs):
    """So many trials are complete, with every epoch once, and nothing is left running."""
    told, statuses, steps = state_of(home)
    every = [*range(1, epochs + 1)]
    assert [(number, state) for number, state, *_ in told] == [
        (number, "COMPLETE") for number in range(trials)
    ]
    assert [reported for *_, reported in told] == [every] * trials
    assert steps == {str(number): every for number in range(trials)}
    assert {status for _, status in statuses} == {"FINISHED"}
    assert len(statuses) == trials + 1


def _runs(home, registered):
    paths = Paths(home)
    client = connect(resolve_uri(f"sqlite:///{paths.mlflow_db}", None, paths))
    experiment = client.get_experiment_by_name("tiny").experiment_id
    runs = client.search_runs([experiment])
    statuses = sorted((r.data.tags.get("tlsearch.trial", "-"), r.info.status) for r in runs)
    steps = {
        run.data.tags["tlsearch.trial"]: sorted(
            point.step for point in client.get_metric_history(run.info.run_id, "val_loss")
        )
        for run in runs
        if "tlsearch.trial" in run.data.tags
    }
    if not registered:
        return statuses, steps
    versions = client.search_model_versions("name = 'tiny-flowers'")
    alias = client.get_model_version_by_alias("tiny-flowers", "champion")
    assert [version.version for version in versions] == [alias.version]
    return statuses, steps
