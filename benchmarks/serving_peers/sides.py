"""The sides of the comparison: how each is installed, started and asked."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from serving_peers.environments import ROOT, engine, own_requirements
from serving_peers.server import free_port
from serving_peers.task import Task
from serving_peers.wire import MLFLOW_JSON, PIXELS, V2_BASE64, V2_BINARY, Wire, photo
from tlsearch.errors import NoResultError

SERVERS = Path(__file__).with_name("servers")
NAME = "flowers"
OURS, OURS_INT8, OURS_IDLE = "tlsearch", "tlsearch int8", "tlsearch beside idlers"
ALL_OURS = (OURS, OURS_INT8, OURS_IDLE)
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Where one start of a server has its things.

    Attributes:
        programs: the folder with python and what pip put beside it.
        folder: for its files; short, for there are sockets in it.
    """

    programs: Path
    task: Task
    folder: Path
    port: int

    def program(self, name: str) -> str:
        return str(self.programs / name)

    def environment(self) -> dict[str, str]:
        """What the files in servers/ read; tlsearch is run from where it stands."""
        return {
            "MODEL": str(self.task.model),
            "SIZE": str(self.task.size),
            "PROVIDER": self.task.provider,
            "PORT": str(self.port),
            "PYTHONPATH": f"{SERVERS}:{ROOT}",
            "PATH": f"{self.programs}:{os.environ['PATH']}",
        }


def _nothing(place: Place) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Side:
    """A server.

    Attributes:
        packages: what pip installs beside onnxruntime and numpy; the first is the peer.
        settings: what it was told, for the table.
        path: where requests go.
        prepare: writes its files and gives further environment variables.
        precision: of its model, if that is another one than the others have.
        idlers: connections that are open beside the load and ask nothing.
    """

    name: str
    packages: tuple[str, ...]
    wire: Wire
    settings: str
    path: str
    command: Callable[[Place], list[str]]
    prepare: Callable[[Place], dict[str, str]] = _nothing
    precision: str | None = None
    idlers: int = 0

    @property
    def slug(self) -> str:
        """Its name in options."""
        return self.name.lower().replace(" ", "-")

    @property
    def environment(self) -> str:
        """The name of its environment: our server has one for all its models."""
        return OURS if self.name in ALL_OURS else self.slug

    @property
    def requirements(self) -> tuple[str, ...]:
        return (engine(), "numpy", *self.packages)

    @property
    def package(self) -> str:
        """The peer's name among installed packages."""
        return self.packages[0].partition("[")[0]


def _tlsearch(place: Place) -> list[str]:
    task = place.task
    told = ["--name", NAME, "--port", str(place.port), "--precision", task.precision]
    command = [place.program("python"), "-m", "serving", str(task.bundle), *told]
    return [*command, "--provider", task.provider]


def _litserve(place: Place) -> list[str]:
    return [place.program("python"), str(SERVERS / "litserve_server.py")]


def _prepare_litserve(place: Place) -> dict[str, str]:
    return {"BATCH": "16", "WAIT": "0.002"}


def _bentoml(place: Place) -> list[str]:
    told = ["--host", _HOST, "--port", str(place.port), "--working-dir", str(SERVERS)]
    return [place.program("bentoml"), "serve", "bentoml_service:Classifier", *told]


def _prepare_bentoml(place: Place) -> dict[str, str]:
    return {"BENTOML_DO_NOT_TRACK": "True"}


def _mlserver(place: Place) -> list[str]:
    return [place.program("mlserver"), "start", str(place.folder)]


def _prepare_mlserver(place: Place) -> dict[str, str]:
    settings = {"name": NAME, "implementation": "mlserver_runtime.Classifier"}
    (place.folder / "model-settings.json").write_text(json.dumps(settings))
    return {
        "MLSERVER_HOST": _HOST,
        "MLSERVER_HTTP_PORT": str(place.port),
        "MLSERVER_GRPC_PORT": str(free_port()),
        "MLSERVER_METRICS_PORT": str(free_port()),
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_DEBUG": "false",
    }


def _mlflow(place: Place) -> list[str]:
    told = ["--env-manager", "local", "-h", _HOST, "-p", str(place.port), "--workers", "1"]
    return [place.program("mlflow"), "models", "serve", "-m", str(place.folder / "model"), *told]


def _prepare_mlflow(place: Place) -> dict[str, str]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [place.program("python"), str(SERVERS / "mlflow_model.py")]
    done = subprocess.run(
        [*command, str(place.folder / "model")],
        env={**os.environ, **place.environment(), **quiet},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NoResultError("MLflow did not save the model", received=done.stderr[-500:])
    return quiet


def _ray(place: Place) -> list[str]:
    return [place.program("python"), str(SERVERS / "ray_app.py")]


def _prepare_ray(place: Place) -> dict[str, str]:
    return {
        "RAY_FOLDER": str(place.folder / "r"),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _fastapi(place: Place) -> list[str]:
    quiet = ["--no-access-log", "--log-level", "warning"]
    told = ["fastapi_app:app", "--host", _HOST, "--port", str(place.port)]
    return [place.program("uvicorn"), *told, *quiet]


_PEERS = (
    Side(
        "FastAPI",
        ("fastapi", "uvicorn[standard]"),
        PIXELS,
        "written by hand: one worker, no queue, no batches",
        "/classify",
        _fastapi,
    ),
    Side(
        "LitServe",
        ("litserve", "pyzmq", "uvloop", "httptools"),
        PIXELS,
        "fast_queue, one worker, batches of up to 16 within 2 ms",
        "/predict",
        _litserve,
        _prepare_litserve,
    ),
    Side(
        "BentoML",
        ("bentoml",),
        PIXELS,
        "one worker, asynchronous API, no access log",
        "/classify",
        _bentoml,
        _prepare_bentoml,
    ),
    Side(
        "MLServer",
        ("mlserver",),
        V2_BASE64,
        "parallel_workers 0, debug off; its REST knows no binary tensors",
        f"/v2/models/{NAME}/infer",
        _mlserver,
        _prepare_mlserver,
    ),
    Side(
        "Ray Serve",
        ("ray[serve]",),
        PIXELS,
        "one replica, RAY_SERVE_THROUGHPUT_OPTIMIZED",
        "/",
        _ray,
        _prepare_ray,
    ),
    Side(
        "mlflow models serve",
        ("mlflow", "onnx"),
        MLFLOW_JSON,
        "one worker, one thread; it knows JSON alone",
        "/invocations",
        _mlflow,
        _prepare_mlflow,
    ),
)


def tensor_sides() -> tuple[Side, ...]:
    """Everyone who is asked for one image of uint8 pixels."""
    return (_ours(V2_BINARY, f"/v2/models/{NAME}/infer"), *_PEERS)


def with_int8(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Our server with the bundle's int8 model too, behind the first."""
    return (sides[0], replace(sides[0], name=OURS_INT8, precision="int8"), *sides[1:])


def with_idlers(sides: tuple[Side, ...], count: int) -> tuple[Side, ...]:
    """Our server with so many idle connections too, behind the first."""
    told = f"{count} connections beside the load that ask nothing"
    return (sides[0], replace(sides[0], name=OURS_IDLE, settings=told, idlers=count), *sides[1:])


def photo_sides(jpeg: bytes) -> tuple[Side, ...]:
    """Our server alone, asked for one JPEG: it has to keep up with a bare loop."""
    return (_ours(photo(jpeg), "/v1/classify"),)


def _ours(wire: Wire, path: str) -> Side:
    return Side(OURS, own_requirements(), wire, "as it comes", path, _tlsearch)
