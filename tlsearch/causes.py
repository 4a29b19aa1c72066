"""What an error came of."""

from __future__ import annotations

from collections.abc import Iterator


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it came of, and so on: what a traceback shows, the last first."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        yield one
        seen.add(id(one))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
