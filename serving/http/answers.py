"""What the model says, as the Open Inference Protocol v2 or `/v1/classify` writes it, in HTTP."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from serving.engine import Probabilities
from serving.http.refusals import problem_of
from serving.http.tensors import OUTPUT, Wish
from serving.model import ServedModel
from serving.problems import PROBLEM_JSON, Problem

Reply = Callable[[int, bytes], None]
"""Takes a status, and header fields with the body behind them."""


def write_answer(model: ServedModel, probabilities: Probabilities, wish: Wish) -> bytes:
    """Fields, blank line and body of the answer; what a status line lacks to be a whole one.

    Args:
        probabilities: float32 `[n, classes]`.
    """
    if wish.binary and not wish.classes and wish.id is None:
        return _head(model.name, model.version, *probabilities.shape) + probabilities.tobytes()
    if wish.classes:
        return _write(model, wish, _classified(model, probabilities, wish))
    output = {"name": OUTPUT, "datatype": "FP32", "shape": list(probabilities.shape)}
    if wish.binary:
        return _write(model, wish, (output, probabilities.tobytes()))
    return _write(model, wish, ({**output, "data": probabilities.ravel().tolist()}, b""))


def write_labels(model: ServedModel, row: Probabilities, top: int) -> bytes:
    """Fields, blank line and body for one photo.

    Args:
        row: float32 `[classes]`.
        top: how many labels.
    """
    values = row.tolist()
    texts = model.label_texts
    rows = [f'"label":{texts[one]},"probability":{values[one]!r}' for one in _best(values, top)]
    # By hand, because after a run the processor's cache holds no json: that costs 0.06 ms more.
    every = "},{".join(rows)
    body = f'{{{model.about_text},{rows[0]},"predictions":[{{{every}}}]}}'
    return frame(b"application/json", body.encode())


def labelled(model: ServedModel, row: Probabilities, top: int) -> dict[str, Any]:
    """The most probable labels of one photo; arguments as in `write_labels`."""
    values = row.tolist()
    labels = model.labels
    ranked = [{"label": labels[one], "probability": values[one]} for one in _best(values, top)]
    return {**ranked[0], "predictions": ranked}


def _best(values: list[float], top: int) -> list[int]:
    """The places of the largest values, the largest first."""
    return sorted(range(len(values)), key=values.__getitem__, reverse=True)[:top]


def refuse(reply: Reply, error: Exception) -> None:
    """Answer with a problem; whatever is none is the server's fault."""
    problem = problem_of(error)
    reply(problem.status, write_problem(problem))


def write_problem(problem: Problem) -> bytes:
    """Fields, blank line and body for a problem."""
    fields = problem_fields(problem)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
    return frame(PROBLEM_JSON.encode(), problem.body, lines)


def problem_fields(problem: Problem) -> dict[str, str]:
    """The header fields that go with a problem, beside those of its content."""
    fields = {}
    if problem.retry_after is not None:
        fields["retry-after"] = str(problem.retry_after)
    if problem.status == 401:
        fields["www-authenticate"] = "Bearer"
    return fields


def frame(media: bytes, body: bytes, fields: bytes = b"") -> bytes:
    """Content type and length, more fields, a blank line, the body."""
    return b"content-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (media, len(body), fields, body)


@lru_cache(maxsize=256)
def _head(name: str, version: str, count: int, classes: int) -> bytes:
    """All that stands before the numbers of a binary answer."""
    size = count * classes * 4
    output = {"name": OUTPUT, "datatype": "FP32", "shape": [count, classes]}
    text = _json(name, version, None, {**output, "parameters": {"binary_data_size": size}})
    whole = _binary_frame(text, bytes(size))
    return whole[:-size]


def _binary_frame(text: bytes, data: bytes) -> bytes:
    length = b"inference-header-content-length: %d\r\n" % len(text)
    return frame(b"application/octet-stream", text + data, length)


def _write(model: ServedModel, wish: Wish, filled: tuple[dict[str, Any], bytes]) -> bytes:
    output, data = filled
    if wish.binary:
        output = {**output, "parameters": {"binary_data_size": len(data)}}
        return _binary_frame(_json(model.name, model.version, wish.id, output), data)
    return frame(b"application/json", _json(model.name, model.version, wish.id, output))


def _json(name: str, version: str, request: str | None, output: dict[str, Any]) -> bytes:
    answer: dict[str, Any] = {"model_name": name, "model_version": version}
    if request is not None:
        answer["id"] = request
    return json.dumps({**answer, "outputs": [output]}, separators=(",", ":")).encode()


def _classified(
    model: ServedModel, probabilities: Probabilities, wish: Wish
) -> tuple[dict[str, Any], bytes]:
    """`probability:class number:label` of the most probable classes, as Triton writes them."""
    labels = model.labels
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, : wish.classes]
    rows = zip(probabilities, ranked, strict=True)
    texts = [f"{row[best]:f}:{best}:{labels[best]}" for row, order in rows for best in order]
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "BYTES", "shape": list(ranked.shape)}
    if not wish.binary:
        return {**output, "data": texts}, b""
    words = [text.encode() for text in texts]
    return output, b"".join(struct.pack("<I", len(word)) + word for word in words)
