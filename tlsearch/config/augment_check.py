"""Whether what a sweep says about augmentation can have an effect."""

from __future__ import annotations

from collections.abc import Iterator

from tlsearch.config.document import Document, KeyPath, Mistake, dotted

AUGMENT_PLACE: KeyPath = ("space", "augment")
_STRENGTH: KeyPath = ("space", "augment_strength")
_STRATEGY: KeyPath = ("space", "strategy")
_MIXING: tuple[KeyPath, ...] = (("space", "mixup"), ("space", "cutmix"))
_VIEWS: KeyPath = ("data", "views")
_STORE: KeyPath = ("store", "use")
_FROZEN = "feature_extraction"


def check_augmentation(document: Document) -> Iterator[Mistake]:
    """A mistake for a strength of no augmentation, and for blends of photos that no trial sees."""
    yield from _check_strength(document)
    yield from _check_mixing(document)


def own_policies(document: Document) -> list[str]:
    """The names of the user's own policies."""
    policies = [policy for _, policy in document.choices(AUGMENT_PLACE)]
    names = [policy.get("name") for policy in policies if isinstance(policy, dict)]
    return [name for name in names if isinstance(name, str)]


def _check_strength(document: Document) -> Iterator[Mistake]:
    policies = [policy for _, policy in document.choices(AUGMENT_PLACE)]
    none = all(policy == "none" for policy in policies) and not _is_override(
        document, AUGMENT_PLACE
    )
    if none and _differs(document, _STRENGTH, 1):
        what = f"{dotted(_STRENGTH)} has no effect: no trial augments its photos"
        hint = "add a policy, such as `augment: [none, light]`, or remove it"
        yield Mistake(document.key_spot(_STRENGTH), what, hint)


def _check_mixing(document: Document) -> Iterator[Mistake]:
    if not _is_stored(document):
        return
    for path in _MIXING:
        if _differs(document, path, 0):
            what = (
                f"{dotted(path)} has no effect: it blends photos, and every trial reads what a "
                "frozen prefix made of them"
            )
            hint = "search `strategy: from_scratch` too, or write `views: online` under data"
            yield Mistake(document.key_spot(path), what, hint)


def _is_stored(document: Document) -> bool:
    """Whether no trial sees photos: all are feature extractions, from what is stored."""
    frozen = all(choice == _FROZEN for _, choice in document.choices(_STRATEGY))
    online = document.find(_VIEWS) == "online" or document.find(_STORE) == "never"
    return frozen and not online and not _is_override(document, _STRATEGY, _VIEWS, _STORE)


def _is_override(document: Document, *paths: KeyPath) -> bool:
    """Whether the command line says it: `space.augment=none` is to be no mistake."""
    given = (path for path in paths if document.find(path) is not None)
    return any(document.value_spot(path).is_override for path in given)


def _differs(document: Document, path: KeyPath, usual: float) -> bool:
    """Whether a number is searched, or is not the one that goes without saying."""
    given = document.find(path)
    is_range = isinstance(given, dict) and "choices" not in given
    return is_range or any(number != usual for _, number in document.choices(path))
