"""Whether storing what a frozen prefix computes pays, by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from tlsearch.amounts import size

READ = 500e6
"""Bytes a second at which stored activations are counted as read: what a SATA disk without moving
parts gives. Random batches of rows of 50 KB came ten times as fast from the page cache."""
WRITTEN = 125e6
"""Bytes a second at which they are counted as written: a row of 51 KB took 0.4 ms, checksum and
sync included."""


@dataclass(frozen=True)
class Prospect:
    """What storing the outputs at a cut costs, and what it saves.

    rows: that are still to be computed, one for each photo and view; row_bytes: of each;
    row_seconds: to compute one, from what is stored below the cut if anything is; looks: at a
    photo, in all epochs of all trials that are expected; look_seconds: to compute the outputs
    from a photo, for one look.
    """

    rows: int
    row_bytes: int
    row_seconds: float
    looks: float
    look_seconds: float

    @property
    def bytes_(self) -> int:
        """What is to be written."""
        return self.rows * self.row_bytes

    @property
    def stored(self) -> float:
        """Seconds for computing and writing once, and reading in every epoch."""
        once = self.rows * self.row_seconds + self.bytes_ / WRITTEN
        return once + self.looks * self.row_bytes / READ

    @property
    def computed(self) -> float:
        """Seconds for computing in every epoch."""
        return self.looks * self.look_seconds


@dataclass(frozen=True)
class Verdict:
    """stores: whether activations are kept; why: in words; bytes_: that are to be written."""

    stores: bool
    why: str
    bytes_: int = 0


NEVER = Verdict(False, "store.use is never")


def judge(prospect: Prospect, use: str, room: int) -> Verdict:
    """Decide.

    Args:
        use: `store.use` of the sweep.
        room: bytes that the store and the disk can hold for it.
    """
    if use == "never":
        return NEVER
    if prospect.bytes_ > room:
        sizes = f"{size(prospect.bytes_)}, and there is room for {size(max(0, room))}"
        return Verdict(False, f"it takes {sizes}")
    stored, computed = _time(prospect.stored), _time(prospect.computed)
    times = f"{stored} stored, {computed} computed in every epoch"
    if use == "always":
        return Verdict(True, f"store.use is always ({times})", prospect.bytes_)
    return Verdict(prospect.stored < prospect.computed, times, prospect.bytes_)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"
