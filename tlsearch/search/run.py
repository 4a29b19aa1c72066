"""The door to a sweep: run it, or continue it, and get its result."""

from __future__ import annotations

import signal
from pathlib import Path

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import prepare
from tlsearch.disk import explain_disk
from tlsearch.errors import Interrupted, UsageError
from tlsearch.execution.notices import Notify, ignore, without_credentials
from tlsearch.execution.signals import stop_on_signal
from tlsearch.paths import Paths
from tlsearch.search.result import SweepResult
from tlsearch.search.stages import Stages
from tlsearch.search.storage import explain_loss
from tlsearch.search.study import SweepStudy
from tlsearch.training.trained import TrainedTrial


def run(
    sweep: Sweep,
    *,
    new: bool = False,
    paths: Paths | None = None,
    notify: Notify = ignore,
    command: str = "tlsearch.run(sweep)",
) -> SweepResult:
    """Run a sweep, or continue it where it was left, or join those who run it.

    Args:
        new: start over; the old study is kept under another name.
        paths: where state lives; by default TLSEARCH_HOME.
        notify: is told what happens.
        command: what the user would type to continue, for messages.

    Raises:
        StudyMismatchError: the study on disk was made by a different sweep.
        UsageError: `new` while others run it.
        DataError: the photos cannot be used.
        SetupError: weights, network, database or home are missing; or the database was lost, and
            running it again continues.
        DiskError: the disk is full or read-only; running it again continues.
        NoResultError: no trial is complete.
        Interrupted: the user asked to stop; running it again continues.
    """
    paths = paths or Paths.from_environment()
    paths.create()
    told = without_credentials(notify)
    with (
        explain_disk(paths.home),
        stop_on_signal() as stop,
        explain_loss(command),
        SweepStudy.open(sweep, paths, new=new) as study,
    ):
        try:
            return Stages(sweep, paths, study, told, command).carry_out(stop)
        except KeyboardInterrupt:
            raise Interrupted(
                "ended at once; what was running goes on after its last checkpoint next time",
                signal=stop.signal or signal.SIGINT,
                hint=f"to continue: {command}",
            ) from None


def read_result(sweep: Sweep, paths: Paths) -> SweepResult:
    """What a sweep has found so far; runs nothing.

    Raises:
        UsageError: it has no trials.
        NoResultError: none of them is complete.
    """
    return Stages(sweep, paths, find_study(sweep, paths), ignore, "").result()


def export(
    sweep: Sweep,
    *,
    trial: int | None = None,
    output: Path | None = None,
    paths: Paths | None = None,
    notify: Notify = ignore,
) -> Path:
    """Write the bundle of a trial, and return its folder.

    The champion's bundle exists once a sweep is over, and is copied where `output` says; it is made
    again where `sweep.export` asks for what it does not hold. The bundle of any other trial is made
    without a look at the test split: that is read for the champion alone.

    Raises:
        UsageError: the sweep has no such trial, or not its weights; or `output` holds something
            else.
        NoResultError: the sweep has no champion, or the ONNX model differs from Keras'.
        DiskError: the disk is full or read-only.
    """
    paths = paths or Paths.from_environment()
    with explain_disk(paths.home):
        return _export(sweep, trial, output, paths, without_credentials(notify))


def _export(
    sweep: Sweep, trial: int | None, output: Path | None, paths: Paths, notify: Notify
) -> Path:
    from tlsearch.export.bundle import check_place, copy_bundle, is_as_asked
    from tlsearch.export.manifest import Manifest

    study = find_study(sweep, paths)
    chosen = study.choose(trial)
    folder = paths.sweep(sweep.name)
    output = output or (folder.bundle if trial is None else folder.folder / f"bundle-{trial}")
    is_delivered = study.delivered() == chosen.number and folder.bundle.is_dir()
    before = Manifest.read(folder.bundle) if is_delivered else None
    if before is not None and is_as_asked(before, sweep.export):
        if output.absolute() != folder.bundle:
            copy_bundle(folder.bundle, output)
        return output
    check_place(output)
    _check_weights(chosen.number, TrainedTrial(folder.trial(chosen.number), study.key))
    from tlsearch.search.delivery import Delivery

    configuration = study.configuration_of(chosen)
    dataset = prepare(sweep.data, paths, configuration.image_size)
    study.hold_dataset(dataset.digest)
    delivery = Delivery(sweep, paths, dataset, notify)
    run_id = before.run.mlflow_run if before else None
    result = delivery.export(chosen.number, configuration, output, judge=is_delivered, run=run_id)
    return result.bundle


def _check_weights(number: int, trained: TrainedTrial) -> None:
    if not trained.has_weights:
        is_known = trained.is_whole
        raise UsageError(
            f"trial {number} cannot be exported: what it has learned is not "
            f"{'kept any more' if is_known else 'here'}",
            received=f"no weights in {trained.folder}",
            expected="a trial whose weights are there",
            hint="checkpoints.keep=all keeps those of all trials to come"
            if is_known
            else "export it in the TLSEARCH_HOME that has trained it",
        )


def find_study(sweep: Sweep, paths: Paths) -> SweepStudy:
    """The sweep's study, to be read.

    Raises:
        UsageError: it has none.
    """
    study = SweepStudy.find(sweep, paths)
    if study is None:
        raise UsageError(
            f"the sweep {sweep.name!r} has no trials yet",
            received=f"nothing under this name in {paths.home}",
            hint="run it: tlsearch run SWEEP; or set TLSEARCH_HOME to where it was run",
        )
    return study
