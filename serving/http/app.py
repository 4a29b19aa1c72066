"""The ASGI application: whatever is asked over HTTP but inference. Every error is a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.http.answers import problem_fields
from serving.http.classify import PATH, Classifier
from serving.http.forms import Forms
from serving.http.front import Guard
from serving.http.page import show_page
from serving.http.protocol_v2 import ProtocolV2
from serving.metrics import metrics_registry
from serving.models import Models
from serving.problems import PROBLEM_JSON, Problem, failed, not_found, unavailable
from tlsearch.errors import TlsearchError

if TYPE_CHECKING:
    from serving.options import ServeOptions


def make_app(
    models: Models, guard: Guard, classifier: Classifier, options: ServeOptions
) -> Starlette:
    """The application for these models; `classifier` is what answers requests of one photo."""
    registry = metrics_registry(models.at_work, models.doubt)
    forms = Forms(classifier, options.photos.count)

    def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def card(request: Request) -> Response:
        model = models.get(request.query_params.get("model") or models.names[0])
        text = (model.bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        return Response(text, media_type="text/markdown")

    routes = [
        *ProtocolV2(models, options.control).routes,
        Route(PATH, forms.classify, methods=["POST"]),
        Route("/v1/card", card),
        Route("/metrics", metrics),
        Route("/", show_page),
    ]
    handlers: dict[Any, Any] = {
        TlsearchError: _explain,
        HTTPException: _explain,
        ClientDisconnect: _explain,
        Exception: _explain,
    }
    doors = [Middleware(_Door, guard=guard)]
    return Starlette(routes=routes, exception_handlers=handlers, middleware=doors)


def answer_problem(problem: Problem) -> Response:
    """A problem as Starlette sends it."""
    return Response(problem.body, problem.status, problem_fields(problem), PROBLEM_JSON)


async def _explain(request: Request, error: Exception) -> Response:
    return answer_problem(_problem_of(request, error))


def _problem_of(request: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, TlsearchError):
        return unavailable(str(error))
    if isinstance(error, ClientDisconnect):
        return Problem(499, "Gone", "the client left before its request was complete")
    if not isinstance(error, HTTPException):
        return failed("the server's log says why")
    if error.status_code == 404:
        return not_found("there is nothing at this address")
    if error.status_code == 405:
        return Problem(405, "Wrong method", f"{request.method} does nothing at this address")
    return Problem(error.status_code, "Invalid request", error.detail)


class _Door:
    """Lets in who brings the token."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["path"] not in self._guard.open_paths:
                self._guard.check(dict(scope["headers"]).get(b"authorization"))
        except Problem as problem:
            await answer_problem(problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
