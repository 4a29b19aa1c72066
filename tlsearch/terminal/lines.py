"""A sweep as lines on stderr: what happened, one line a finished trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from tlsearch.amounts import size
from tlsearch.execution.notices import Notice
from tlsearch.terminal.tables import screening_table
from tlsearch.terminal.words import configuration, counted, duration, number


class Lines:
    """Prints each notice that a reader of a log wants to see."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._budget = 0

    def __call__(self, notice: Notice) -> None:
        say = getattr(self, f"_{notice.event}", None)
        if say is not None:
            say(**notice.data)

    def print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _sweep_opened(self, name: str, home: str, finished: int, budget: int) -> None:
        self._budget = budget
        done = f", {finished} of them done: continuing" if finished else ""
        self.print(f"sweep {name}: {counted(budget, 'trial')}{done} (state in {home})")

    def _budget_spent(self, finished: int) -> None:
        self.print(f"the budget is spent: {finished} of {self._budget} trials are finished")

    def _data_ready(
        self,
        classes: list[str],
        photos: dict[str, int],
        unreadable: list[list[str]],
        warnings: list[str],
    ) -> None:
        shares = ", ".join(f"{count} {split}" for split, count in photos.items())
        self.print(f"photos: {len(classes)} classes, {shares}")
        for warning in warnings:
            self.print(f"warning: {warning}")
        for path, reason in unreadable[:10]:
            self.print(f"  left out: {path}: {reason}")

    def _timing(self, prefixes: int) -> None:
        self.print("timing each backbone on a batch of the photos")

    def _screening(self, backbones: list[str], photos: int) -> None:
        self.print(f"screening {counted(len(backbones), 'backbone')} on {counted(photos, 'photo')}")

    def _probed(
        self, backbone: str, accuracy: float, standard_error: float, seconds: float, **_: Any
    ) -> None:
        figures = f"{accuracy:.3f} ± {standard_error:.3f}"
        self.print(f"  {backbone}: {figures}, {duration(seconds)}")

    def _screened(
        self, rows: list[dict[str, Any]], remarks: list[str], kept: list[str], seconds: float
    ) -> None:
        self._console.print(screening_table(rows))
        for remark in remarks:
            self.print(f"screening: {remark}")
        self.print(f"searching {', '.join(kept)} (screened in {duration(seconds)})")

    def _screening_recalled(self, kept: list[str], screened: int) -> None:
        self.print(f"searching {', '.join(kept)}, which screening kept of {screened}")

    def _storing(
        self, backbone: str, image_size: int, cut: str, stores: bool, why: str, **rest: int
    ) -> None:
        what = f"{backbone} at {image_size} px, {cut}"
        if not stores:
            self.print(f"{what}: computed in every epoch; {why}")
            return
        written = rest["bytes"]
        self.print(f"{what}: {f'storing {size(written)}; ' if written else ''}{why}")

    def _waiting(self, what: str, trials: Sequence[int] = ()) -> None:
        if what == "trials":
            text = f"waiting for {counted(len(trials), 'trial')} of other supervisors"
        else:
            text = f"waiting for another supervisor, which does the {what}"
        self.print(f"{text} (Ctrl-C ends the waiting)")

    def _training_again(self, trial: int) -> None:
        self.print(f"trial {trial}: its weights are in a home out of reach; training it again here")

    def _delivered(self, host: str, bundle: str) -> None:
        self.print(f"the champion is delivered already: {bundle} on {host}")

    def _trial_retried(self, trial: int, attempt: int, reason: str, log: str = "") -> None:
        self.print(f"trial {trial}: {reason}; attempt {attempt}{_logged(log)}")

    def _batch_halved(
        self, trial: int, batch: int, micro_batch: int, reason: str, log: str, **_: Any
    ) -> None:
        at_once = f"{micro_batch} of the {batch} photos of a batch at a time"
        self.print(f"trial {trial}: {reason}; it goes on with {at_once}{_logged(log)}")

    def _trial_resumed(self, trial: int, epoch: int) -> None:
        self.print(f"trial {trial} resumes after epoch {epoch}")

    def _trial_ended(self, **row: Any) -> None:
        head = f"trial {row['trial']} {row['state']}"
        if row["reason"]:
            self.print(f"{head}: {row['failure']}: {row['reason']}{_logged(row.get('log'))}")
            return
        epochs = counted(row["epochs"], "epoch")
        facts = f"{number(row['value'])} in {epochs}, {duration(row['seconds'])}"
        self.print(f"{head}: {facts}  {configuration(row)}")

    def _champion(self, **row: Any) -> None:
        self.print(f"champion: trial {row['trial']} with {number(row['value'])} on validation")

    def _exporting(self, trial: int) -> None:
        self.print(f"exporting trial {trial}")

    def _exported(
        self,
        parity: dict[str, float],
        variants: list[dict[str, Any]],
        left_out: list[dict[str, Any]],
        **_: Any,
    ) -> None:
        agreement = f"{parity['top1_agreement']:.2%} of {parity['photos']} photos"
        self.print(
            f"ONNX agrees with Keras on {agreement}, "
            f"probabilities within {parity['max_difference']:.1e}"
        )
        for variant in variants[1:]:
            self.print(
                f"{variant['precision']}: {variant['speedup']:.2f} times as fast "
                f"({variant['provider']}), accuracy {variant['accuracy_validation']:.4f} on "
                f"validation"
            )
        for left in left_out:
            self.print(f"{left['precision']} is left out: {left['reason']}")

    def _judging(self, trial: int) -> None:
        self.print(f"judging trial {trial} on the test photos too, to compare")

    def _registered(self, name: str, version: str) -> None:
        self.print(f"registered: models:/{name}@champion (version {version})")

    def _pretraining_opened(self, name: str, folder: str, done: int, epochs: int) -> None:
        before = f", {done} of them done: continuing" if done else ""
        self.print(f"pretraining {name}: {counted(epochs, 'epoch')}{before} (state in {folder})")

    def _photos_ready(self, photos: dict[str, int], warnings: list[str]) -> None:
        self.print(f"photos to learn from: {photos['train']}")
        for warning in warnings:
            self.print(f"warning: {warning}")

    def _pretraining_epoch(
        self, epoch: int, epochs: int, metrics: dict[str, float], seconds: float
    ) -> None:
        figures = ", ".join(f"{name} {number(value)}" for name, value in metrics.items())
        self.print(f"epoch {epoch} of {epochs}: {figures}, {duration(seconds)}")

    def _tracking_back(self) -> None:
        self.print("tracking is back: what was kept is told now")

    def _tracking_left(self, records: int, store: str, name: str) -> None:
        kept = counted(records, "record")
        self.print(
            f"MLflow at {store} does not answer; {kept} for it are kept: tlsearch sync {name}"
        )

    def _warning(self, text: str) -> None:
        self.print(f"warning: {text}")


def _logged(log: str | None) -> str:
    return f" (log: {log})" if log else ""
