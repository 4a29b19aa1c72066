"""From a trial to the job that trains it."""

from __future__ import annotations

from collections.abc import Callable

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset
from tlsearch.paths import Paths
from tlsearch.search.photos import decode
from tlsearch.search.study import SweepStudy
from tlsearch.training.job import TrainJob

MakeJob = Callable[[int, Configuration, int], TrainJob]
"""From a trial's number, its configuration, and in how many parts its network is shown a batch."""


def will_want_keras(sweep: Sweep, paths: Paths) -> bool:
    """Whether some trial is sure to, as far as it can be told before the photos are known: heads do
    not where their features are stored."""
    heads_alone = set(sweep.space.strategy.choices) == {"feature_extraction"}
    return not heads_alone or sweep.store.use == "never" or not paths.activations.is_dir()


def job_maker(study: SweepStudy, dataset: Dataset, paths: Paths) -> MakeJob:
    """What makes the jobs of a study's trials; photos are decoded before a size's first job."""
    sweep, key = study.sweep, study.key
    decoded: set[int] = set()

    def make_job(number: int, configuration: Configuration, parts: int) -> TrainJob:
        if configuration.image_size not in decoded:
            decode(dataset, paths, configuration.image_size)
            decoded.add(configuration.image_size)
        return TrainJob(number, sweep, configuration, dataset, paths, parts, key)

    return make_job
