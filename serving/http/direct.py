"""Which requests are answered without the ASGI application: those that the server is there for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import final

from serving.http.classify import Classifier, find_query
from serving.http.exchange import Desk, Start
from serving.http.infer import Inference, find_target


@final
class Direct(Desk):
    """Tensors to infer, and photos one at a time."""

    def __init__(self, inference: Inference, classifier: Classifier) -> None:
        """Take those who answer."""
        self._inference = inference
        self._classifier = classifier

    def find(self, url: bytes, fields: Mapping[bytes, bytes]) -> Start | None:
        target = find_target(url)
        if target is not None:
            return partial(self._inference.start, target)
        query = find_query(url)
        if query is None or _is_form(fields):
            return None
        return partial(self._classifier.start, query)


def _is_form(fields: Mapping[bytes, bytes]) -> bool:
    return fields.get(b"content-type", b"").lower().startswith(b"multipart/")
