"""Requests for inference as the Open Inference Protocol v2 writes them: JSON, binary tensors.

The protocol: https://github.com/kserve/open-inference-protocol, its extension for binary tensors
and for classification: https://github.com/triton-inference-server/server/tree/main/docs/protocol.
Leaves out HTTP, and the answer (`answers.py`).
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import prod
from typing import Any, NoReturn

import numpy as np

from serving.engine import Images
from serving.http.refusals import too_large
from serving.problems import invalid

INPUT, OUTPUT = "images", "probabilities"
LARGEST_HEADER = 64 * 1024
"""Bytes of JSON that may stand before binary tensors."""
_CACHED_HEADER = 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """How the answer should look.

    Attributes:
        id: comes back with the answer.
        binary: raw float32 behind the JSON instead of numbers in it.
        classes: so many most probable classes as text instead of all probabilities; 0: no.
    """

    id: str | None = None
    binary: bool = False
    classes: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """The JSON part of a request.

    Attributes:
        shape: of the input.
        binary_size: bytes of the input behind the JSON; None where it stands in `data`.
        data: the input as lists, nested or flat.
        timeout: seconds that the client waits; None: as long as the server likes.
    """

    shape: tuple[int, ...]
    binary_size: int | None
    data: Sequence[Any] | None
    timeout: float | None
    wish: Wish


def read_request(
    body: bytes, header_length: int | None, size: int, largest_json: int
) -> tuple[Images, Header]:
    """The photos, uint8 `[n, size, size, 3]`, and what else a request says.

    Args:
        header_length: bytes of JSON before the binary part; None: all is JSON.
        size: pixels a side that the model wants.
        largest_json: bytes of JSON that are parsed.

    Raises:
        Problem: 400 whatever is wrong with it; 413 too much JSON.
    """
    if header_length is None:
        if len(body) > largest_json:
            raise too_large(largest_json, "JSON")
        header = parse_header(body)
        return _from_lists(header, _photos(header.shape, size)), header
    if not 0 <= header_length <= min(len(body), LARGEST_HEADER):
        raise invalid(
            f"Inference-Header-Content-Length is {header_length}, the body has {len(body)} bytes "
            f"and its JSON may have {LARGEST_HEADER}"
        )
    head = body[:header_length]
    header = _cached_header(head) if header_length <= _CACHED_HEADER else parse_header(head)
    count = _photos(header.shape, size)
    if header.data is not None:
        return _from_lists(header, count), header
    return _from_bytes(header, body, header_length), header


def parse_header(text: bytes) -> Header:
    """Read the JSON part.

    Raises:
        Problem: 400 it is not JSON, or not what the protocol wants.
    """
    request = _object(_parse(text), "the request")
    parameters = _object(request.get("parameters", {}), "parameters")
    tensor = _only_input(request.get("inputs"))
    inner = _object(tensor.get("parameters", {}), "the input's parameters")
    size, data = inner.get("binary_data_size"), tensor.get("data")
    if "shared_memory_region" in inner:
        raise invalid("shared memory is not served here; send binary data or JSON")
    if size is not None and not _is_count(size):
        raise invalid(f"binary_data_size has to be a number of bytes, not {_show(size)}")
    if (size is None) == (data is None):
        raise invalid("the input needs either `data` or `binary_data_size`, and not both")
    if data is not None and not isinstance(data, list):
        raise invalid(f"the input's data has to be a list, not {_show(data)}")
    wish = _wish(request, parameters)
    return Header(_shape(tensor), size, data, _timeout(parameters.get("timeout")), wish)


@lru_cache(maxsize=256)
def _cached_header(text: bytes) -> Header:
    return parse_header(text)


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(f"this is not JSON: {str(error)[:200]}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _only_input(inputs: Any) -> Mapping[str, Any]:
    if not isinstance(inputs, list) or len(inputs) != 1:
        found = f"{len(inputs)} inputs" if isinstance(inputs, list) else f"inputs: {_show(inputs)}"
        raise invalid(f"the model takes one input, {INPUT!r}; received {found}")
    tensor = _object(inputs[0], "the input")
    if tensor.get("name") != INPUT:
        raise invalid(f"the model's input is {INPUT!r}, not {_show(tensor.get('name'))}")
    if tensor.get("datatype") != "UINT8":
        raise invalid(f"{INPUT!r} has the datatype UINT8, not {_show(tensor.get('datatype'))}")
    return tensor


def _shape(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or len(shape) > 8 or not all(map(_is_count, shape)):
        raise invalid(f"the input's shape has to be a list of numbers, not {_show(shape)}")
    return tuple(shape)


def _photos(shape: tuple[int, ...], size: int) -> int:
    if len(shape) != 4 or shape[0] < 1 or shape[1:] != (size, size, 3):
        expected = f"[n, {size}, {size}, 3] with n at least 1"
        raise invalid(f"{INPUT!r} has the shape {expected}, not {_show(list(shape))}")
    return shape[0]


def _timeout(value: Any) -> float | None:
    """Microseconds to seconds, as Triton counts; 0 is none."""
    if value is None or (_is_count(value) and value == 0):
        return None
    if not _is_count(value):
        raise invalid(f"timeout has to be a number of microseconds, not {_show(value)}")
    return min(value, 10**15) / 1e6


def _wish(request: Mapping[str, Any], parameters: Mapping[str, Any]) -> Wish:
    name = request.get("id")
    if name is not None and not isinstance(name, str):
        raise invalid(f"id has to be text, not {_show(name)}")
    binary = _flag(parameters.get("binary_data_output", False), "binary_data_output")
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return Wish(name, binary)
    return _output_wish(name, binary, outputs)


def _output_wish(name: str | None, binary: bool, outputs: Any) -> Wish:
    if not isinstance(outputs, list) or len(outputs) != 1:
        raise invalid(f"the model has one output, {OUTPUT!r}; received outputs: {_show(outputs)}")
    output = _object(outputs[0], "the output")
    if output.get("name") != OUTPUT:
        raise invalid(f"the model's output is {OUTPUT!r}, not {_show(output.get('name'))}")
    parameters = _object(output.get("parameters", {}), "the output's parameters")
    if "shared_memory_region" in parameters:
        raise invalid("shared memory is not served here; ask for binary data or JSON")
    classes = parameters.get("classification", 0)
    if not _is_count(classes):
        raise invalid(f"classification has to be a number of classes, not {_show(classes)}")
    return Wish(name, _flag(parameters.get("binary_data", binary), "binary_data"), classes)


def _from_bytes(header: Header, body: bytes, start: int) -> Images:
    expected, received = prod(header.shape), len(body) - start
    if not header.binary_size == expected == received:
        raise invalid(
            f"the input's shape makes {expected} bytes, its binary_data_size says "
            f"{header.binary_size}, and {received} follow the JSON"
        )
    return np.frombuffer(body, np.uint8, offset=start).reshape(header.shape)


def _from_lists(header: Header, count: int) -> Images:
    if header.data is None:
        raise invalid("binary data needs the header Inference-Header-Content-Length")
    values = _flatten(header.data, (count, *header.shape[1:]))
    if set(map(type, values)) != {int}:
        raise invalid("the input's data has to be whole numbers, in lists that fit its shape")
    try:
        return np.frombuffer(bytearray(values), np.uint8).reshape(header.shape)
    except ValueError as error:
        raise invalid("the input's data has to be from 0 to 255") from error


def _flatten(data: Sequence[Any], shape: tuple[int, ...]) -> Sequence[Any]:
    """Nested lists become one; whoever nests has to nest as the shape says."""
    expected, inner = prod(shape), shape
    while len(data) == inner[0] and len(inner) > 1 and isinstance(data[0], list):
        inner = inner[1:]
        if not all(isinstance(part, list) and len(part) == inner[0] for part in data):
            raise invalid(f"the input's data is not nested as its shape {list(shape)} says")
        data = list(chain.from_iterable(data))
        inner = (len(data), *inner[1:])
    if len(data) != expected:
        raise invalid(f"the input's shape makes {expected} values, its data has {len(data)}")
    return data


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"{what} has to be a JSON object, not {_show(value)}")
    return value


def _flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise invalid(f"{what} has to be true or false, not {_show(value)}")
    return value


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _show(value: Any) -> str:
    return reprlib.repr(value)
