"""What is kept with a study beside its trials: once for all who work on it."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna

from tlsearch.search.screened import ScreeningResult

DELIVERED, RUN, TEST = "tlsearch.delivered", "tlsearch.run", "tlsearch.test"
KEY = "tlsearch.key"
DELIVERY, SCREENING = "tlsearch.delivery", "tlsearch.screening"
RIVAL = "tlsearch.delivered_rival"


@dataclass(frozen=True)
class DeliveryPlace:
    """Where the champion's bundle lies: its folder, and the machine."""

    host: str
    bundle: str

    @classmethod
    def of(cls, bundle: Path) -> DeliveryPlace:
        """Of a bundle on this machine."""
        return cls(socket.gethostname(), str(bundle))

    def is_at(self, bundle: Path) -> bool:
        """Whether it is this folder of this machine."""
        return self == DeliveryPlace.of(bundle)

    @property
    def is_reachable(self) -> bool:
        """Whether the folder can be read from here."""
        return self.host == socket.gethostname() and Path(self.bundle).is_dir()

    @property
    def is_gone(self) -> bool:
        """Whether it lay on this machine, and lies there no longer."""
        return self.host == socket.gethostname() and not Path(self.bundle).is_dir()


class StudyNotes:
    """The notes of one study. Trials are told apart by their numbers."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._screening: ScreeningResult | None = None

    @property
    def key(self) -> str:
        """What tells this study from any other, of the same name too; "" for one that an earlier
        version has made, as long as it is only looked at."""
        return self._study.user_attrs.get(KEY, "")

    def _make_key(self) -> None:
        """Give the study its key if it has none. The study's lock must be held."""
        if KEY not in self._study.user_attrs:
            self._study.set_user_attr(KEY, secrets.token_hex(8))

    @property
    def screening(self) -> ScreeningResult | None:
        """What was found before the first trial; None where nothing was screened."""
        if self._screening is None:
            screened = self._study.user_attrs.get(SCREENING)
            self._screening = ScreeningResult.from_dict(screened) if screened else None
        return self._screening

    def note_screening(self, result: ScreeningResult) -> None:
        """Narrow the space to the backbones that are kept, for the life of the study."""
        self._study.set_user_attr(SCREENING, result.as_dict())
        self._screening = result

    def delivered(self) -> int | None:
        """The number of the champion whose bundle and registration are complete."""
        return self._study.user_attrs.get(DELIVERED)

    def delivery_place(self) -> DeliveryPlace | None:
        """Where that bundle lies; None if nobody has noted it."""
        noted = self._study.user_attrs.get(DELIVERY)
        return DeliveryPlace(**noted) if noted else None

    def was_compared_with(self, rival: int | None) -> bool:
        """Whether this was the rival when the champion was delivered, judged or found impossible to
        judge; of what an earlier version has delivered it is assumed."""
        return self._study.user_attrs.get(RIVAL, rival) == rival

    def note_delivery(self, number: int, bundle: Path, rival: int | None = None) -> None:
        """Note that everything of the champion is done, and where its bundle lies."""
        self._study.set_user_attr(DELIVERY, asdict(DeliveryPlace.of(bundle)))
        self._study.set_user_attr(RIVAL, rival)
        self._study.set_user_attr(DELIVERED, number)

    def test_of(self, number: int) -> dict[str, float] | None:
        """The metrics of a trial on the test split, if it was judged there."""
        return self._study.user_attrs.get(f"{TEST}.{number}")

    def note_test(self, number: int, metrics: Mapping[str, float]) -> None:
        """Keep them; with the study, because Optuna lets no finished trial change."""
        self._study.set_user_attr(f"{TEST}.{number}", dict(metrics))

    def run_of(self, number: int | None) -> str | None:
        """The tracker's run of a trial, or with None the sweep's own."""
        return self._study.user_attrs.get(_run_key(number))

    def runs(self) -> dict[int, str]:
        """The tracker's runs of all trials that have one."""
        prefix = _run_key(0).removesuffix("0")
        known = self._study.user_attrs.items()
        return {int(key.removeprefix(prefix)): run for key, run in known if key.startswith(prefix)}

    def note_run(self, number: int | None, run: str) -> None:
        self._study.set_user_attr(_run_key(number), run)


def _run_key(number: int | None) -> str:
    return RUN if number is None else f"{RUN}.{number}"
