"""The way to MLflow by a proxy, which is a real one as far as clients can tell."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from serving.mlflow_rest import MLflowServer
from tlsearch.errors import SetupError

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
ADDRESS = "http://mlflow.invalid:5000"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def proxying(asked: list[bytes]):
    """What answers one request in an MLflow server's place; its address, without a scheme."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(1 << 16))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["", "http://", "http://anna:s3cret@"])
def test_a_proxy_is_asked(monkeypatch, variable, scheme):
    asked: list[bytes] = []
    with proxying(asked) as place:
        monkeypatch.setenv(variable, scheme + place)
        server = MLflowServer(ADDRESS, {})
        assert server.ask("model-versions/get") == {}
        server.close()
    assert asked[0].startswith(b"GET http://mlflow.invalid:5000/api/2.0/mlflow/model-versions/get ")


def test_a_server_may_be_reached_without_the_proxy(monkeypatch):
    asked: list[bytes] = []
    with proxying(asked) as place:
        monkeypatch.setenv("all_proxy", "127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        server = MLflowServer(f"http://{place}", {})
        assert server.ask("model-versions/get") == {}
        server.close()
    assert asked[0].startswith(b"GET /api/2.0/")


@pytest.mark.parametrize("proxy", ["ftp://anna:s3cret@proxy:21", "http://anna:s3cret@[::"])
def test_a_proxy_that_cannot_be_used(monkeypatch, proxy):
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(SetupError, match="proxy on the way to MLflow cannot be used") as caught:
        MLflowServer(ADDRESS, {})
    assert proxy.partition(":")[0] in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "http_proxy or all_proxy" in caught.value.hint
