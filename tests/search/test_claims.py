"""Several supervisors of one study: counted exactly, claimed once, taken over from the dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from claimant import make_sweep
from optuna.trial import TrialState
from tiny_jobs import wait_until

from tlsearch.errors import SetupError
from tlsearch.paths import Paths
from tlsearch.search import crew, renewal, turn
from tlsearch.search.claims import OWNER, TrialTakenOver
from tlsearch.search.crew import union
from tlsearch.search.study import SweepStudy

CLAIMANT = Path(__file__).parents[1] / "claimant.py"

LONGEST = 900
"""Seconds after which the claimants count as stuck."""


def _claim_together(count, homes, storage, trials, enqueue="enqueue"):
    """So many processes at once; what each has told, and the study's trials."""
    errors = {**os.environ, "PYTHONWARNINGS": "ignore"}
    processes = [
        subprocess.Popen(
            [sys.executable, CLAIMANT, homes[n % len(homes)], storage, str(trials), enqueue],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=errors,
        )
        for n in range(count)
    ]
    try:
        ended = [process.communicate(timeout=LONGEST) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * count, ended
    assert [stderr for _, stderr in ended] == [""] * count
    address = storage or f"sqlite:///{homes[0]}/optuna.db"
    study = optuna.load_study(study_name="shared", storage=address)
    return [json.loads(stdout) for stdout, _ in ended], study.get_trials(deepcopy=False)


def _hold_exact(told, trials, count):
    """Each trial was told once, by one process, with parameters that no other has."""
    numbers = [number for one in told for number, _ in one]
    assert sorted(numbers) == [*range(count)]
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * count
    assert len({trial.params["head_learning_rate"] for trial in trials}) == count


def test_eight_processes_share_160_enqueued_trials_on_postgresql(tmp_path, postgres):
    homes = [str(tmp_path / f"home-{n}") for n in range(8)]
    told, trials = _claim_together(8, homes, postgres(), 160)
    _hold_exact(told, trials, 160)
    assert all("enqueued" in trial.user_attrs for trial in trials)


def test_eight_processes_share_the_proposals_of_one_sampler_on_postgresql(tmp_path, postgres):
    homes = [str(tmp_path / "home")]
    told, trials = _claim_together(8, homes, postgres(), 40, "propose")
    _hold_exact(told, trials, 40)


def test_four_processes_share_80_enqueued_trials_on_sqlite(tmp_path):
    told, trials = _claim_together(4, [str(tmp_path / "home")], "", 80)
    _hold_exact(told, trials, 80)


def test_two_homes_share_a_sqlite_file(tmp_path):
    homes = [str(tmp_path / f"home-{n}") for n in range(2)]
    told, trials = _claim_together(2, homes, f"sqlite:///{tmp_path}/both.db", 10, "propose")
    _hold_exact(told, trials, 10)


@pytest.fixture
def sweep():
    return make_sweep("", 4, enqueue=[])


@pytest.fixture
def open_study(sweep, paths):
    """A function that makes one more supervisor in this process."""
    made = []

    def give(sweep=sweep, paths=paths):
        made.append(SweepStudy.open(sweep, paths))
        return made[-1]

    yield give
    for study in made:
        study.leave()


def test_what_others_train_counts_against_the_budget(open_study):
    first, second = open_study(), open_study()
    claimed = [one.claim() for one in (first, second, first, second)]
    assert [trial.number for trial in claimed] == [0, 1, 2, 3]
    assert first.claim() is second.claim() is None
    assert (first.elsewhere(), second.elsewhere()) == ([1, 3], [0, 2])


def test_who_leaves_leaves_its_trials_to_others(open_study):
    first, second = open_study(), open_study()
    trial = first.claim()
    parameters = first.configure(trial)
    first.report(trial, 1, 0.5)
    first.leave()
    taken = second.claim()
    assert taken.number == trial.number
    assert second.configure(taken) == parameters
    assert taken.user_attrs[OWNER] == second.crew.name


def test_a_trial_that_is_set_down_is_taken_up_by_another_who_lives(open_study):
    first, second = open_study(), open_study()
    trial = first.claim()
    first.set_down(trial, {"attempts": 0})
    taken = second.claim()
    assert (taken.number, taken.user_attrs["attempts"]) == (trial.number, 0)
    assert first.claim().number == trial.number + 1


ONE_TRIAL = """\
import sys
from pathlib import Path
from optuna.trial import TrialState
from claimant import make_sweep
from tlsearch.paths import Paths
from tlsearch.search import crew, renewal
from tlsearch.search.claims import TrialTakenOver
from tlsearch.search.study import SweepStudy

renewal.EVERY, crew.LEASE = 0.2, 5.0
study = SweepStudy.open(make_sweep(sys.argv[2], 4, enqueue=[]), Paths(Path(sys.argv[1])))
trial = study.claim()
print(trial.number, flush=True)
sys.stdin.readline()
try:
    study.tell(trial, TrialState.COMPLETE, 0.1, {})
except TrialTakenOver:
    print("taken over")
"""


@pytest.fixture
def start_one():
    """A function that starts a process that claims one trial and tells it when it is asked to."""
    started = []

    def give(home, storage):
        process = subprocess.Popen(
            [sys.executable, "-c", ONE_TRIAL, str(home), storage],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CLAIMANT.parent)},
        )
        started.append(process)
        assert process.stdout.readline() == "0\n"
        return process

    yield give
    for process in started:
        process.kill()
        process.communicate()


def test_the_killed_leave_their_trials_at_once(open_study, start_one, paths):
    process = start_one(paths.home, "")
    study = open_study()
    process.send_signal(signal.SIGSTOP)
    assert study.claim().number == 1  # Who is stopped still lives: its folder is in use.
    process.kill()
    process.wait()
    assert study.claim().number == 0


def test_what_was_taken_over_is_dropped(open_study):
    first, second = open_study(), open_study()
    trial = first.claim()
    first.crew._presence.leave()  # As if it had died.
    taken = second.claim()
    with pytest.raises(TrialTakenOver):
        first.tell(trial, TrialState.COMPLETE, 0.1, {})
    first.set_down(trial, {"attempts": 0})
    assert second._claims.owns(taken)
    second.tell(taken, TrialState.COMPLETE, 0.7, {})
    with pytest.raises(TrialTakenOver):
        first.tell(trial, TrialState.COMPLETE, 0.1, {})
    with pytest.raises(TrialTakenOver):
        first.report(trial, 1, 0.1)
    with pytest.raises(TrialTakenOver):
        first.note(trial, "attempts", 1)
    assert [one.value for one in second.finished()] == [0.7]


@pytest.fixture
def remote(postgres, tmp_path, monkeypatch, open_study):
    """A function that makes a supervisor on a machine with a home of its own."""
    monkeypatch.setattr(renewal, "EVERY", 0.2)
    monkeypatch.setattr(crew, "LEASE", 5.0)
    sweep = make_sweep(postgres(), 4, enqueue=[])

    def give(name):
        paths = Paths(tmp_path / name)
        paths.create()
        return open_study(sweep, paths)

    give.address = sweep.search.storage

    return give


def _stop(study):
    """Renew no lease any more: as SIGSTOP of its process does, or the loss of its machine."""
    study.crew._renewal.end()


def test_a_lease_that_is_not_renewed_runs_out(remote):
    first, second = remote("here"), remote("there")
    trial = first.claim()
    assert first.crew.name in second.crew.others()
    assert second.claim().number == 1
    _stop(first)
    assert wait_until(lambda: first.crew.name not in second.crew.others())
    taken = second.claim()
    assert taken.number == trial.number
    with pytest.raises(TrialTakenOver):
        first.report(trial, 1, 0.1)
    with pytest.raises(TrialTakenOver):
        first.tell(trial, TrialState.COMPLETE, 0.1, {})


def test_who_slept_beyond_its_lease_tells_nothing(remote, start_one, tmp_path):
    process = start_one(tmp_path / "there", remote.address)
    study = remote("here")
    assert study.claim().number == 1
    process.send_signal(signal.SIGSTOP)
    assert wait_until(lambda: study.crew.others() == {})
    taken = study.claim()
    assert taken.number == 0
    study.tell(taken, TrialState.COMPLETE, 0.7, {})
    process.send_signal(signal.SIGCONT)
    stdout, _ = process.communicate("tell\n")
    assert (process.returncode, stdout) == (0, "taken over\n")
    assert [trial.value for trial in study.finished()] == [0.7]


def test_a_lease_that_is_renewed_does_not(remote):
    first, second = remote("here"), remote("there")
    first.claim()
    before = first.crew.members()[first.crew.name].alive
    assert wait_until(lambda: first.crew.members()[first.crew.name].alive > before + crew.LEASE)
    assert second.claim().number == 1


def test_a_renewal_that_fails_is_made_up_for(remote, monkeypatch):
    study = remote("here")
    before = study.crew.members()[study.crew.name].alive
    lost = []

    def fail(self):
        lost.append(self)
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(turn.PostgresTurn, "now", fail)
        assert wait_until(lambda: len(lost) > 2)
    assert wait_until(lambda: study.crew.members()[study.crew.name].alive > before)


def test_in_one_home_a_death_is_noticed_without_a_lease(remote):
    first, second = remote("here"), remote("here")
    trial = first.claim()
    first.crew._presence.leave()
    assert second.claim().number == trial.number


def test_neighbours_share_a_home(remote):
    first, second, third = remote("here"), remote("there"), remote("here")
    assert second.crew.has_neighbour_of(first.crew.name)
    assert not second.crew.has_neighbour_of(second.crew.name)
    assert not first.crew.has_neighbour_of(third.crew.name)  # It is at home there itself.
    third.leave()
    assert second.crew.has_neighbour_of(third.crew.name)
    first.leave()
    assert not second.crew.has_neighbour_of(third.crew.name)
    assert not second.crew.has_neighbour_of(None)


def test_an_errand_is_done_once(open_study):
    first, second = open_study(), open_study()
    done, waited = [], []

    def wait():
        waited.append(1)
        done.append(1)  # Meanwhile the first has done it.

    with first.errands.run("delivery", lambda: bool(done), wait) as mine:
        assert mine
        assert first.errands.are_mine("delivery")
        with second.errands.run("delivery", lambda: bool(done), wait) as again:
            assert not again
    assert waited == [1]


def test_an_errand_whose_doer_dies_falls_to_another(open_study):
    first, second = open_study(), open_study()
    with first.errands.run("delivery", lambda: False, pytest.fail):
        with second.errands.run("delivery", lambda: False, first.crew._presence.leave) as mine:
            assert mine
        assert not first.errands.are_mine("delivery")


def test_an_errand_that_fails_is_tried_by_another(open_study):
    first, second = open_study(), open_study()
    with (
        pytest.raises(OSError, match="no disk"),
        first.errands.run("x", lambda: False, pytest.fail),
    ):
        raise OSError("no disk")
    with second.errands.run("x", lambda: False, pytest.fail) as mine:
        assert mine


def test_an_errand_waits_for_who_can_do_it(open_study):
    study, can = open_study(), []
    wait = lambda: can.append(1)  # noqa: E731
    with study.errands.run("x", lambda: False, wait, lambda: len(can) > 2) as mine:
        assert mine
    assert len(can) == 3


def test_another_database_takes_one_supervisor_at_a_time(open_study, monkeypatch):
    """SQLite stands in for the databases whose locks are not known here."""
    monkeypatch.setattr(turn, "FileTurn", turn.LonelyTurn)
    first = open_study()
    with pytest.raises(SetupError, match="running already") as caught:
        open_study()
    assert "SQLite or PostgreSQL" in caught.value.hint
    first.leave()
    open_study()


def test_the_length_of_spans_together():
    assert union([]) == union([None]) == 0
    assert union([(5, 6), None, (0, 2), (1, 3)]) == 4
    assert union([(0, 10), (2, 3)]) == 10
