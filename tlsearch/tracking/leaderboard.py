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
SPACE_TAG = "tlsearch.space"
STATE = "tags.`tlsearch.state`"
"""A pruned trial looks as finished as a complete one elsewhere in the table."""
BEST = "best_"
"""What stands before the name of a metric for a trial's best epoch."""


def describe_leaderboard(parameters: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, str]:
    """The experiment tag for a sweep with these settings; none without an objective.

    Args:
        parameters: the sweep's settings, of which `objective` (`metric`, `direction`) is read.
        tags: the sweep's tags, of which `tlsearch.space` is read: a JSON object whose keys are
            the parameters of a trial.
    """
    objective = parameters.get("objective")
    if not isinstance(objective, Mapping):
        return {}
    metric = f"metrics.`{BEST}{objective['metric']}`"
    searched = json.loads(tags.get(SPACE_TAG, "{}"))
    state = {
        "searchFilter": TRIALS_ONLY,
        "orderByKey": metric,
        "orderByAsc": objective.get("direction") == "minimize",
        "selectedColumns": [metric, *(f"params.`{name}`" for name in searched), STATE],
    }
    return {TAG: json.dumps(state)}
