"""Did you mean ...?"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is most likely a slip of, whatever its case; or None."""
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggest(word: str, known: Iterable[str], *, kind: str) -> str:
    """A hint: the nearest known word, or else all of them (`kind` says what they are)."""
    names = list(known)
    found = nearest(word, names)
    return f"did you mean {found}?" if found else f"{kind}: {', '.join(names)}"
