"""All that is asked over HTTP but inference: health, metadata, control, metrics, photos, page."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.http.answers import problem_fields
from serving.http.front import Guard
from serving.models import Models
from serving.problems import PROBLEM_JSON, Problem

if TYPE_CHECKING:
    from serving.options import ServeOptions


def make_app(models: Models, guard: Guard, options: ServeOptions) -> Starlette:
    """The application."""

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        return JSONResponse({"ready": models.ready}, 200 if models.ready else 503)

    async def metadata(request: Request) -> Response:
        return JSONResponse({"name": "tlsearch", "version": version("tlsearch"), "extensions": []})

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return Response(error.body, error.status, problem_fields(error), PROBLEM_JSON)

    routes = [
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/v2", metadata),
    ]
    return Starlette(routes=routes, exception_handlers={Problem: problem})
