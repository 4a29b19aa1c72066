"""The Open Inference Protocol v2 but for inference: health, metadata, the repository of models."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.http.refusals import switched_off, too_large
from serving.http.tensors import INPUT, OUTPUT
from serving.model import ServedModel
from serving.models import Models
from serving.problems import Problem, invalid, unavailable

EXTENSIONS = ["binary_tensor_data", "classification", "model_repository"]
_MODEL = "/v2/models/{name}"
_REPOSITORY = "/v2/repository"
_JSON_BYTES = 64 * 1024
"""It keeps everybody waiting while it is parsed, and has next to nothing to say."""


class ProtocolV2:
    """What the protocol asks, answered by the models."""

    def __init__(self, models: Models, control: bool) -> None:
        """Take the models.

        Args:
            control: whether clients may load, unload and roll back.
        """
        self._models = models
        self._control = control

    @property
    def routes(self) -> list[Route]:
        """What is answered where."""
        versioned = _MODEL + "/versions/{version}"
        return [
            Route("/v2", self.describe_server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route(_MODEL, self.describe_model),
            Route(versioned, self.describe_model),
            Route(f"{_MODEL}/ready", self.model_ready),
            Route(f"{versioned}/ready", self.model_ready),
            Route(f"{_MODEL}/infer", self.infer),
            Route(f"{versioned}/infer", self.infer),
            Route(f"{_REPOSITORY}/index", self.index, methods=["POST"]),
            Route(f"{_REPOSITORY}/models/{{name}}/load", self.load, methods=["POST"]),
            Route(f"{_REPOSITORY}/models/{{name}}/unload", self.unload, methods=["POST"]),
            Route("/v1/models/{name}/rollback", self.rollback, methods=["POST"]),
        ]

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        """Every model is verified, and the server is not about to stop."""
        if not self._models.ready:
            raise unavailable("a model is not loaded, or the server is about to stop")
        return JSONResponse({"ready": True})

    async def describe_server(self, request: Request) -> Response:
        """Name, version and extensions of the server."""
        about = {"name": "tlsearch", "version": version("tlsearch"), "extensions": EXTENSIONS}
        return JSONResponse(about)

    async def describe_model(self, request: Request) -> Response:
        """Inputs and outputs of a model."""
        return JSONResponse(_describe(self._models, self._asked(request)))

    async def model_ready(self, request: Request) -> Response:
        """A model is at work."""
        model = self._asked(request)
        return JSONResponse({"name": model.name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Reached only by methods that do not infer: the connection answers POST itself."""
        raise Problem(405, "Wrong method", "inference is asked for with POST")

    async def index(self, request: Request) -> Response:
        """The models and their states; with `{"ready": true}` only those at work."""
        wanted = _body(await request.body())
        rows = self._models.index()
        if wanted.get("ready"):
            rows = [row for row in rows if row["state"] == "READY"]
        return JSONResponse(rows)

    async def load(self, request: Request) -> Response:
        """Load a model again from where it comes from."""
        self._check_control()
        if _body(await request.body()).get("parameters"):
            raise invalid("a model is loaded as it is: no configuration and no files are taken")
        await self._models.load(request.path_params["name"])
        return JSONResponse({})

    async def unload(self, request: Request) -> Response:
        """Take a model from work."""
        self._check_control()
        await self._models.unload(request.path_params["name"])
        return JSONResponse({})

    async def rollback(self, request: Request) -> Response:
        """Put the previous version to work again."""
        self._check_control()
        model = await self._models.rollback(request.path_params["name"])
        return JSONResponse({"name": model.name, "version": model.version})

    def _asked(self, request: Request) -> ServedModel:
        given = request.path_params
        return self._models.get(given["name"], given.get("version"))

    def _check_control(self) -> None:
        if not self._control:
            raise switched_off("loading, unloading and rolling back models")


def _describe(models: Models, model: ServedModel) -> dict[str, Any]:
    versions = [one.version for one in models.at_work() if one.name == model.name]
    size, classes = model.image_size, len(model.labels)
    return {
        "name": model.name,
        "versions": sorted(set(versions)),
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, size, size, 3]}],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, classes]}],
        "parameters": {
            "labels": list(model.labels),
            "version": model.version,
            "precision": model.precision,
            "provider": model.provider,
            "stale": models.doubt(model.name) or False,
        },
    }


def _body(content: bytes) -> dict[str, Any]:
    if not content:
        return {}
    if len(content) > _JSON_BYTES:
        raise too_large(_JSON_BYTES, "JSON")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise invalid(f"this is not JSON: {str(error)[:200]}") from error
    if not isinstance(given, dict):
        raise invalid("the body has to be a JSON object")
    return given
