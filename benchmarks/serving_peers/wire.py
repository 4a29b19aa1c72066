"""Requests and answers as each kind of server wants and gives them."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_BYTES = "application/octet-stream"
_JSON = "application/json"
_HEADER = "Inference-Header-Content-Length"
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Request:
    """A POST whose body lies in a file. `kind` is its content type."""

    file: Path
    kind: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Wire:
    """A way to ask for the probabilities of images.

    Attributes:
        told: for the table.
        ask: content type, further headers and body, from images (uint8 [n, size, size, 3]).
            Only v2 asks for several at once, and a photo stands for one.
        read: the probabilities, flat, from an answer's headers and body.
    """

    told: str
    ask: Callable[[Array], tuple[str, dict[str, str], bytes]]
    read: Callable[[Mapping[str, str], bytes], Array]

    def request(self, images: Array, file: Path) -> Request:
        kind, headers, body = self.ask(images)
        file.write_bytes(body)
        return Request(file, kind, tuple(headers.items()))


def post(address: str, request: Request) -> tuple[Mapping[str, str], bytes] | None:
    """Headers and body of the answer; None while there is no server or it is not ready."""
    headers = {"Content-Type": request.kind, **dict(request.headers)}
    asked = urllib.request.Request(address, request.file.read_bytes(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.headers, answer.read()
    except (urllib.error.URLError, OSError):
        return None


def _ask_bytes(images: Array) -> tuple[str, dict[str, str], bytes]:
    return _BYTES, {}, images.tobytes()


def _ask_v2(images: Array) -> tuple[str, dict[str, str], bytes]:
    pixels = images.tobytes()
    tensor = {
        "name": "images",
        "datatype": "UINT8",
        "shape": list(images.shape),
        "parameters": {"binary_data_size": len(pixels)},
    }
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return _BYTES, {_HEADER: str(len(header))}, header + pixels


def _ask_base64(images: Array) -> tuple[str, dict[str, str], bytes]:
    texts = [base64.b64encode(image.tobytes()).decode() for image in images]
    tensor = {
        "name": "images",
        "datatype": "BYTES",
        "shape": [len(texts)],
        "parameters": {"content_type": "base64"},
        "data": texts,
    }
    return _JSON, {}, json.dumps({"inputs": [tensor]}).encode()


def _ask_mlflow(images: Array) -> tuple[str, dict[str, str], bytes]:
    compact = json.dumps({"inputs": {"images": images.tolist()}}, separators=(",", ":"))
    return _JSON, {}, compact.encode()


def _read_bytes(headers: Mapping[str, str], body: bytes) -> Array:
    return np.frombuffer(body, np.float32)


def _read_v2(headers: Mapping[str, str], body: bytes) -> Array:
    return np.frombuffer(body[int(headers[_HEADER]) :], np.float32)


def _read_v2_json(headers: Mapping[str, str], body: bytes) -> Array:
    return np.array(json.loads(body)["outputs"][0]["data"], np.float32).ravel()


def _read_mlflow(headers: Mapping[str, str], body: bytes) -> Array:
    return np.array(json.loads(body)["predictions"]["probabilities"], np.float32).ravel()


def photo(jpeg: bytes) -> Wire:
    """A JPEG as it is, whatever the images; labels and probabilities come back."""
    return Wire("JPEG", lambda images: ("image/jpeg", {}, jpeg), _read_labels)


def _read_labels(headers: Mapping[str, str], body: bytes) -> Array:
    ranked = json.loads(body)["predictions"]
    return np.array([one["probability"] for one in ranked], np.float32)


PIXELS = Wire("bytes", _ask_bytes, _read_bytes)
V2_BINARY = Wire("v2, binary tensors", _ask_v2, _read_v2)
V2_BASE64 = Wire("v2 JSON, base64", _ask_base64, _read_v2_json)
MLFLOW_JSON = Wire("JSON", _ask_mlflow, _read_mlflow)
