"""Whether what a sweep says about augmentation can have an effect."""

from __future__ import annotations

from collections.abc import Iterator

from tlsearch.config.document import Document, KeyPath, Mistake, dotted
from tlsearch.config.mistakes import received
from tlsearch.config.parameters import AUGMENT_PLACE

_VIEWS: KeyPath = ("data", "views")
_STRENGTH: KeyPath = ("space", "augment_strength")


def check_augmentation(document: Document) -> Iterator[Mistake]:
    """A mistake for a strength of no augmentation, and for policies that nothing is drawn by."""
    policies = [policy for _, policy in document.choices(AUGMENT_PLACE)]
    if any(policy != "none" for policy in policies):
        yield from _check_views(document)
        return
    # `space.augment=none` on the command line is to be no mistake.
    turned_off = bool(policies) and document.value_spot(AUGMENT_PLACE).is_override
    if _is_given(document) and not turned_off:
        what = f"{dotted(_STRENGTH)} has no effect: no trial augments its photos"
        hint = "add a policy, such as `augment: [none, light]`, or remove it"
        yield Mistake(document.key_spot(_STRENGTH), what, hint)


def _check_views(document: Document) -> Iterator[Mistake]:
    """Of a single view, which is the photo itself, stored for trials with a frozen prefix."""
    strategies = [strategy for _, strategy in document.choices(("space", "strategy"))]
    only_scratch = bool(strategies) and all(one == "from_scratch" for one in strategies)
    if document.find(_VIEWS) == 1 and not only_scratch:
        what = f"{dotted(_VIEWS)} leaves augmented trials the photos as they are {received(1)}"
        hint = "write `views: 2` or more, or `views: online`"
        yield Mistake(document.value_spot(_VIEWS), what, hint)


def _is_given(document: Document) -> bool:
    """Whether a strength is searched, or is not the one that goes without saying."""
    given = document.find(_STRENGTH)
    is_range = isinstance(given, dict) and "choices" not in given
    return is_range or any(strength != 1 for _, strength in document.choices(_STRENGTH))


def own_policies(document: Document) -> list[str]:
    """The names of the user's own policies."""
    policies = [policy for _, policy in document.choices(AUGMENT_PLACE)]
    names = [policy.get("name") for policy in policies if isinstance(policy, dict)]
    return [name for name in names if isinstance(name, str)]
