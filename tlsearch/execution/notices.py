"""What a sweep or pretraining tells whoever watches it: a terminal, a JSON stream, a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tlsearch.redaction import redact_values


@dataclass(frozen=True)
class Notice:
    """One thing that happened; `data` is JSON-friendly.

    sweep_opened(name, home, finished, budget), data_ready(classes, counts, unreadable, warnings),
    screening(backbones, photos), probed(backbone, image_size, photos, accuracy, standard_error,
    seconds), screened(rows, remarks, kept, seconds), screening_recalled(kept, screened),
    timing(prefixes), trial_started(trial, configuration, attempt), storing(backbone, image_size,
    cut, stores, bytes, why: once for each cut and answer), network_built(trial, total_parameters,
    trainable_parameters), epoch(trial, epoch, metrics, seconds), trial_ended(the trial's row of
    the leaderboard), trial_retried(trial, attempt, reason, log),
    batch_halved(trial, batch, micro_batch, parts, reason, log: where memory ran out),
    trial_resumed(trial, epoch: the last one that an earlier start has trained),
    budget_spent(finished),
    interrupted(finished, command), champion(trial, value, configuration), exporting(trial),
    exported(bundle, test, parity), triton_written(model: its folder), judging(trial),
    registered(name, version),
    compared(see Comparison.as_dict), waiting(what: trials, screening or delivery; trials: those
    that others train), training_again(trial: its weights are in another home), delivered(by
    another supervisor or an earlier run: host, bundle), warning(text),
    tracking_back(), tracking_left(records, store, name: of the sweep).

    Of a pretraining: pretraining_opened(name, folder, done, epochs), photos_ready(photos,
    warnings), pretraining_epoch(epoch, epochs, metrics, seconds), pretrained(weights and the
    rest of its result).
    """

    event: str
    data: dict[str, Any] = field(default_factory=dict)


Notify = Callable[[Notice], None]


def ignore(_: Notice) -> None:
    """Watch nothing."""


def without_credentials(notify: Notify) -> Notify:
    """Tells the same, with *** in the place of every credential."""
    return lambda notice: notify(Notice(notice.event, redact_values(notice.data)))
