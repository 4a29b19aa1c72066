"""Real servers in the environment of the tests, measured as the benchmark measures them."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from serving_peers.bench import Bench
from serving_peers.comparison import Field, interleave
from serving_peers.environments import Environment
from serving_peers.findings import claims
from serving_peers.idlers import idle_connections
from serving_peers.load import Generator
from serving_peers.server import free_port, started
from serving_peers.sides import OURS, SERVERS, Side, photo_sides, tensor_sides
from serving_peers.task import draw_photo, make_task
from serving_peers.wire import PIXELS

from tlsearch.errors import NoResultError
from tlsearch.export.checksums import write_checksums
from tlsearch.export.golden import write_golden

sys.path.append(str(Path(__file__).parents[1] / "serving"))
from tiny_bundle import golden_of, manifest, tiny_model

pytestmark = pytest.mark.slow
CORE = min(os.sched_getaffinity(0))
HERE = Environment(Path(sys.prefix))
LIMITS = {None: {"batch": 1}}
SIDES = {side.name: side for side in tensor_sides()}


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    onnx.save(tiny_model(), folder / "model.onnx")
    write_golden(folder, golden_of(folder))
    manifest().write(folder)
    write_checksums(folder)
    return folder


@pytest.fixture
def make_bench(bundle, tmp_path):
    def make(photo=None):
        task = make_task(bundle, "fp32", photo)
        load = Generator(CORE)
        return Bench(task, tmp_path / "s", CORE, load, 0.5, [1, 4], HERE, lambda text: None)

    return make


def test_our_server_and_one_by_hand_answer_as_the_model_does(make_bench):
    sides = (SIDES[OURS], SIDES["FastAPI"])
    entrants = Field(dict.fromkeys(sides, HERE))
    found = interleave(make_bench(), entrants, 1, LIMITS)
    assert [(one.side, one.connections) for one in found] == [
        (side.name, connections) for side in sides for connections in (1, 4)
    ]
    for one in found:
        assert one.images_per_second > 0
        assert one.errors == 0
        assert one.limit > 0
        assert one.cpu_seconds > 0
        assert one.pss > 2**20
    assert {row["what"] for row in claims(found, [4])} >= {"tlsearch / FastAPI"}


def test_idlers_stay_while_others_ask(make_bench):
    side = replace(SIDES[OURS], idlers=50)
    found = make_bench().measure(side, HERE, 0, {"images_per_second": 1.0})
    assert [one.errors for one in found] == [0, 0]


def test_an_idler_that_is_closed_is_told(make_bench):
    """A server that closes every connection after its answer."""
    script = "import http.server as s, sys; h = s.BaseHTTPRequestHandler; "
    script += "h.do_GET = lambda self: (self.send_response(200), self.end_headers()); "
    script += "s.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h).serve_forever()"
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    folder = make_bench().scratch
    with started([sys.executable, "-c", script, str(port)], {}, folder, CORE) as server:
        server.wait(lambda: is_listening(port))
        with pytest.raises(NoResultError, match="was closed"), idle_connections(address, 3):
            pass


def is_listening(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_photos_are_answered_as_the_model_does(make_bench, tmp_path):
    bench = make_bench(draw_photo(None, tmp_path / "photo.jpg"))
    side = photo_sides(bench.task.photo.read_bytes())[0]
    limit = bench.limit([1])[1]
    found = bench.measure(side, HERE, 0, limit)
    assert [one.errors for one in found] == [0, 0]
    assert all(one.images_per_second > 0 for one in found)


def test_the_limit_counts_images_of_each_batch_size(make_bench):
    found = make_bench().limit([1, 4], 0.3)
    assert list(found) == [1, 4]
    assert found[4]["images"] % 4 == 0
    assert 0 < found[1]["p50"] <= found[1]["p99"]


def test_a_side_with_other_answers_is_out(make_bench):
    bench = make_bench()
    other = replace(bench.task, expected=np.roll(bench.task.expected, 1))
    bench = replace(bench, task=other)
    side = SIDES["FastAPI"]
    entrants = Field({side: HERE})
    assert interleave(bench, entrants, 1, LIMITS) == []
    assert "other probabilities" in entrants.failures["FastAPI"]


def test_a_side_without_an_answer_is_an_error(make_bench):
    """The server that measures the load's ceiling knows no model."""
    command = [sys.executable, str(SERVERS / "nothing.py")]
    side = Side("nothing", ("none",), PIXELS, "", "/", lambda place: command)
    with pytest.raises(NoResultError, match="gave no probabilities"):
        make_bench().measure(side, HERE, 0, {"images_per_second": 1.0})


def test_the_load_has_a_ceiling(make_bench):
    assert make_bench().ceiling() > 0
