"""The view of a sweep's trials that MLflow's UI opens: best first, searched parameters as columns.

MLflow keeps a shared view as an experiment tag with the state of its run table in JSON
(mlflow 3.17: `selectedColumns`, `orderByKey`, ...). A UI that no longer knows it shows its own
default view instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SHARE_KEY = "leaderboard"
TAG = f"mlflow.sharedViewState.{SHARE_KEY}"
TRIALS_ONLY = "tags.`tlsearch.kind` = 'trial'"
BEST = "best_"
"""What stands before the name of a metric for a trial's best epoch."""


def describe_leaderboard(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The experiment tag for a sweep with these settings; none without an objective.

    Args:
        parameters: the sweep's settings with `objective` (`metric`, `direction`) and `space`,
            whose keys are the parameters of a trial.
    """
    objective, space = parameters.get("objective"), parameters.get("space")
    if not isinstance(objective, Mapping) or not isinstance(space, Mapping):
        return {}
    column = f"metrics.`{BEST}{objective['metric']}`"
    state = {
        "searchFilter": TRIALS_ONLY,
        "orderByKey": column,
        "orderByAsc": objective.get("direction") == "minimize",
        "selectedColumns": [column, *(f"params.`{name}`" for name in space)],
    }
    return {TAG: json.dumps(state)}
