"""What the door to a sweep refuses before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.trial import TrialState

from tlsearch.errors import UsageError
from tlsearch.search.run import export
from tlsearch.search.study import SweepStudy
from tlsearch.training.trained import TrainedTrial


@pytest.fixture
def sweep(make_sweep, paths):
    """A sweep whose study has one complete trial."""
    made = make_sweep()
    with SweepStudy.open(made, paths) as study:
        trial = study.claim()
        study.tell(trial, TrialState.COMPLETE, 0.6, {"best_value": 0.6})
    return made


def test_what_another_study_has_left_is_not_exported(sweep, paths):
    trained = TrainedTrial(paths.sweep("tiny").trial(0), "another")
    trained.write({"head": [np.ones(3)]}, "", np.full((1, 2), 0.5, np.float32), [{"epoch": 1}])
    trained.write_result("", {})
    with pytest.raises(UsageError, match="what it has learned is not here") as caught:
        export(sweep, trial=0, paths=paths)
    assert "TLSEARCH_HOME that has trained it" in caught.value.hint
