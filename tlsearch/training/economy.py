"""Whether storing what a frozen prefix computes pays, by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

READ = 400e6
"""Bytes a second at which stored activations are counted as read. Memory is faster, once they are
in it; a cheap disk is not."""
WRITTEN = 150e6
"""Bytes a second at which they are counted as written, checksum and sync included."""


@dataclass(frozen=True)
class Prospect:
    """A prefix and what is still to be trained above it.

    photos: of the train and validation splits; views: of each; epochs: of a trial; trials: that
    are expected; bytes_a_photo and seconds_a_photo: of one view's activations, to keep and to
    compute.
    """

    photos: int
    views: int
    epochs: int
    trials: float
    bytes_a_photo: int
    seconds_a_photo: float

    @property
    def bytes_(self) -> int:
        """What storing takes."""
        return self.photos * self.views * self.bytes_a_photo

    @property
    def stored(self) -> float:
        """Seconds for computing and writing once, and reading in every epoch."""
        once = self.photos * self.views * (self.seconds_a_photo + self.bytes_a_photo / WRITTEN)
        return once + self._looks * self.bytes_a_photo / READ

    @property
    def computed(self) -> float:
        """Seconds for computing in every epoch."""
        return self._looks * self.seconds_a_photo

    @property
    def _looks(self) -> float:
        return self.photos * self.epochs * self.trials


@dataclass(frozen=True)
class Verdict:
    """stores: whether activations are kept; why: in words."""

    stores: bool
    why: str


def judge(prospect: Prospect, use: str, room: int) -> Verdict:
    """Decide.

    Args:
        use: `store.use` of the sweep.
        room: bytes that the store and the disk can hold for it.
    """
    if use == "never":
        return Verdict(False, "store.use is never")
    if prospect.bytes_ > room:
        sizes = f"{prospect.bytes_ / 1e9:.1f} GB, and there is room for {room / 1e9:.1f} GB"
        return Verdict(False, f"it takes {sizes}")
    times = f"{prospect.stored:.0f} s stored, {prospect.computed:.0f} s computed in every epoch"
    if use == "always":
        return Verdict(True, f"store.use is always ({times})")
    return Verdict(prospect.stored < prospect.computed, times)
