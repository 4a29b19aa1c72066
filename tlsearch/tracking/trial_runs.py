"""The trials' runs below a sweep's run in MLflow, found by the tag that has the trial's number."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NUMBER = "tlsearch.trial"
"""The tag that has a trial's number."""


class TrialRuns:
    """Finds runs, and sees to it that each trial has one.

    A request that was given up may still be carried out, by a server that was stopped for a while:
    then a trial has been given two runs, and the one that has less is deleted.
    """

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self._known: defaultdict[str, dict[int, str]] = defaultdict(dict)
        self._experiments: dict[str, str] = {}

    def experiment_of(self, run_id: str) -> str:
        """The id of the experiment that a run belongs to."""
        if run_id not in self._experiments:
            self._experiments[run_id] = self._client.get_run(run_id).info.experiment_id
        return self._experiments[run_id]

    def find(self, parent: str, number: int) -> str | None:
        """The run of a trial that was started before, by this process or by another one."""
        known = self._known[parent]
        if number not in known:
            # It is asked for each time: another process may be about to make it.
            runs = self._children(parent, f" and tags.`{NUMBER}` = '{number}'")
            if runs:
                known[number] = self._keep_one(runs).info.run_id
        return known.get(number)

    def note(self, parent: str, number: int, run_id: str) -> None:
        """A run was made."""
        self._known[parent][number] = run_id

    def forget(self, parent: str) -> None:
        """The store has to be asked again: nobody knows whether a run was made."""
        self._known.pop(parent, None)

    def all(self, parent: str) -> dict[int, Run]:
        """Each trial's run, by its number, as the store has them now."""
        found: dict[int, list[Run]] = defaultdict(list)
        for run in self._children(parent):
            if (number := run.data.tags.get(NUMBER)) is not None:
                found[int(number)].append(run)
        kept = {number: self._keep_one(runs) for number, runs in found.items()}
        self._known[parent] = {number: run.info.run_id for number, run in kept.items()}
        return kept

    def _keep_one(self, runs: list[Run]) -> Run:
        first, *others = sorted(runs, key=_poverty)
        for run in others:
            self._client.delete_run(run.info.run_id)
        return first

    def _children(self, parent: str, more: str = "") -> list[Run]:
        query = f"tags.`mlflow.parentRunId` = '{parent}'{more}"
        experiments = [self.experiment_of(parent)]
        found: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs(experiments, query, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


def _poverty(run: Run) -> tuple[int, int, int, str]:
    """A sort key, the same for all processes: the run that has most comes first."""
    return (-len(run.data.metrics), -len(run.data.params), run.info.start_time, run.info.run_id)
