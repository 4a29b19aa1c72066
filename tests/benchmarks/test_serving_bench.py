"""The serving benchmark's load, processes and figures, with real servers and real loads."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from serving_peers.dependencies import installed
from serving_peers.environments import Environments
from serving_peers.findings import claims, side_rows
from serving_peers.load import Generator, read_hey
from serving_peers.measurement import Measurement, of, ratio
from serving_peers.server import free_port, started
from serving_peers.sides import OURS, SERVERS, tensor_sides, with_idlers, with_int8
from serving_peers.wire import MLFLOW_JSON, PIXELS, V2_BASE64, V2_BINARY, Request, photo, post

from tlsearch.errors import NoResultError

CORE = min(os.sched_getaffinity(0))
IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
PROBABILITIES = np.array([0.25, 0.75], np.float32)

HEY = """
Summary:
  Total:\t4.0000 secs
  Requests/sec:\t4523.0551

Latency distribution:
  10% in 0.0003 secs
  50% in 0.0021 secs
  99% in 0.0285 secs

Status code distribution:
  [200]\t18000 responses
  [503]\t7 responses

Error distribution:
  [5]\tPost "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused
"""

REFUSING = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        Handler.count += 1
        self.send_response(200 if Handler.count % 2 else 503)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def request_file(tmp_path):
    file = tmp_path / "body"
    file.write_bytes(bytes(5000))
    return Request(file, "application/octet-stream", (("X-One", "1"),))


@pytest.fixture
def nothing(tmp_path, request_file):
    """A server that answers at once: itself and its address."""
    port = free_port()
    environment = {"PORT": str(port), "PYTHONPATH": str(SERVERS)}
    command = [sys.executable, str(SERVERS / "nothing.py")]
    with started(command, environment, tmp_path / "server", CORE) as server:
        address = f"http://127.0.0.1:{port}/"
        server.wait(lambda: post(address, request_file) is not None)
        yield server, address


def measurement(side=OURS, round_=0, connections=16, speed=1000.0, **others):
    values = {
        "p50": 0.01,
        "p99": 0.02,
        "cpu_seconds": 0.7,
        "errors": 0,
        "limit": 1250.0,
        "rss": 2**27,
        "pss": 2**26,
        "processes": 1,
    }
    return Measurement(side, round_, connections, speed, **{**values, **others})


def test_hey_counts_failures_and_other_answers_as_errors():
    found = read_hey(HEY)
    assert (found.requests, found.errors, found.seconds) == (18000, 12, 4.0)
    assert (found.p50, found.p99) == (0.0021, 0.0285)


def test_hey_with_few_answers_gives_its_highest_percentile():
    assert read_hey(HEY.replace("  99% in 0.0285 secs\n", "")).p99 == 0.0021


def test_hey_that_tells_nothing_is_an_error():
    with pytest.raises(NoResultError, match="no summary"):
        read_hey("panic: runtime error")


def test_the_generator_and_the_usage_of_the_server_agree(nothing, request_file):
    server, address = nothing
    before = server.usage()
    found = Generator(CORE).put(address, request_file, 4, 1.0)
    after = server.usage()
    assert found.requests >= 4
    assert found.errors == 0
    assert 0 < found.p50 <= found.p99 <= found.seconds
    assert found.seconds >= 1.0
    assert after.cpu_seconds > before.cpu_seconds
    assert after.processes == 1
    assert 0 < after.pss <= after.rss
    assert server.cores() == {CORE}


def test_the_generator_counts_refusals_as_errors(tmp_path, request_file):
    port = free_port()
    command = [sys.executable, "-c", REFUSING, str(port)]
    with started(command, {}, tmp_path / "refusing", CORE) as server:
        address = f"http://127.0.0.1:{port}/"
        server.wait(lambda: post(address, request_file) is not None)
        found = Generator(CORE).put(address, request_file, 2, 0.5)
    assert found.errors > 0
    assert abs(found.errors - found.requests) <= 3


def test_nothing_of_a_server_is_left(tmp_path):
    """Not even a process that has left the group."""
    child = "import subprocess,sys,time;subprocess.Popen(['sleep','60'],start_new_session=True)"
    command = [sys.executable, "-c", f"{child};time.sleep(60)"]
    with started(command, {}, tmp_path, CORE) as server:
        server.wait(lambda: server.usage().processes == 2)
        pids = subprocess.run(
            ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
    end = time.monotonic() + 10
    while any(_runs(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(pids) == 1
    assert not _runs(pids[0])


def test_a_server_that_ends_says_why(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        started(command, {}, tmp_path, CORE) as server,
        pytest.raises(NoResultError) as error,
    ):
        server.wait(lambda: False)
    assert "status 1" in str(error.value)
    assert "no such model" in str(error.value)


def test_a_peer_that_cannot_be_installed_has_a_reason(tmp_path):
    environments = Environments(tmp_path / "environments", lambda text: None)
    wish = (str(tmp_path / "absent-1.0-py3-none-any.whl"),)
    with pytest.raises(NoResultError) as error:
        environments.get("absent", wish)
    assert "absent-1.0" in str(error.value)
    assert not environments.is_ready("absent", wish)


def test_a_binary_v2_request_holds_the_pixels_after_its_header(tmp_path):
    request = V2_BINARY.request(IMAGES, tmp_path / "body")
    length = int(dict(request.headers)["Inference-Header-Content-Length"])
    body = request.file.read_bytes()
    images = json.loads(body[:length])["inputs"][0]
    assert images["shape"] == [2, 2, 2, 3]
    assert images["parameters"]["binary_data_size"] == len(body) - length
    assert body[length:] == IMAGES.tobytes()


@pytest.mark.parametrize(
    ("wire", "headers", "body"),
    [
        (PIXELS, {}, PROBABILITIES.tobytes()),
        (V2_BINARY, {"Inference-Header-Content-Length": "2"}, b"{}" + PROBABILITIES.tobytes()),
        (V2_BASE64, {}, b'{"outputs": [{"shape": [1, 2], "data": [0.25, 0.75]}]}'),
        (MLFLOW_JSON, {}, b'{"predictions": {"probabilities": [[0.25, 0.75]]}}'),
        (photo(b""), {}, b'{"predictions": [{"probability": 0.25}, {"probability": 0.75}]}'),
    ],
)
def test_answers_are_read(wire, headers, body):
    assert wire.read(headers, body).tolist() == PROBABILITIES.tolist()


def test_a_row_holds_the_medians_of_the_rounds():
    rounds = [measurement(round_=i, speed=speed) for i, speed in enumerate([900, 1000, 1200])]
    slow = measurement(side="slow", speed=10.0)
    rows = side_rows([slow, *rounds], 16)
    assert [row["side"] for row in rows] == [OURS, "slow"]
    assert rows[0]["images_per_second"] == 1000
    assert rows[0]["of_limit"] == 0.8
    assert rows[0]["over_ideal"] == pytest.approx(0.02 * 1000 / 16)
    assert rows[0]["rss_mib"] == 128


def test_ratios_pair_the_rounds():
    ours = [measurement(round_=i, speed=speed) for i, speed in enumerate([100, 400])]
    theirs = [measurement("x", round_=i, speed=speed) for i, speed in enumerate([50, 100])]
    assert ratio(ours, theirs) == {"median": 3.0, "smallest": 2.0, "largest": 4.0}


def test_a_round_that_one_side_lacks_is_left_out():
    ours = [measurement(round_=i, speed=100) for i in range(2)]
    assert ratio(ours, [measurement("x", round_=1, speed=50)])["median"] == 2.0


def test_claims_name_the_best_peer():
    found = [measurement(speed=1000), measurement("fast", speed=800), measurement("slow", speed=8)]
    rows = {row["what"]: row["median"] for row in claims(found, [16])}
    assert rows["tlsearch / bare loop"] == 0.8
    assert rows["tlsearch / fast"] == 1.25
    assert rows["p99 / ideal"] == pytest.approx(1.25)
    assert "tlsearch / slow" not in rows


def test_int8_is_served_from_the_environment_of_fp32():
    ours, int8, *peers = with_int8(tensor_sides())
    assert int8.environment == ours.environment
    assert len({side.environment for side in peers} | {ours.environment}) == len(peers) + 1


def test_our_int8_is_no_peer():
    rows = claims([measurement(), measurement("tlsearch int8", speed=1800.0)], [16])
    assert [row["what"] for row in rows if "int8" in row["what"]] == ["tlsearch int8 / fp32"]
    assert {row["median"] for row in rows} == {0.8, 1.8, 1.25}


def test_our_server_beside_idlers_is_no_peer():
    beside = measurement("tlsearch beside idlers", p99=0.03)
    rows = claims([measurement(), beside], [16])
    found = {row["what"]: row["median"] for row in rows}
    assert found.keys() == {
        "tlsearch / bare loop",
        "p99, tlsearch beside idlers / alone",
        "p99 / ideal",
    }
    assert found["p99, tlsearch beside idlers / alone"] == pytest.approx(1.5)
    ours, idle, *_ = with_idlers(tensor_sides(), 7)
    assert (idle.environment, idle.idlers, ours.idlers) == (ours.environment, 7, 0)


def test_without_peers_only_the_limit_is_claimed():
    rows = claims([measurement(connections=4)], [4])
    assert [row["what"] for row in rows] == ["tlsearch / bare loop"]


def test_rounds_come_in_order():
    rounds = [measurement(round_=i) for i in (2, 0, 1)]
    assert [one.round for one in of(rounds, OURS, 16)] == [0, 1, 2]


def test_every_side_has_the_same_onnxruntime():
    engines = {side.requirements[0] for side in tensor_sides()}
    assert len(engines) == 1
    assert engines.pop().startswith("onnxruntime==")


def test_packages_that_all_need_do_not_count():
    packages = Path(sysconfig.get_paths()["purelib"])
    sizes = installed(packages, {"numpy"})
    assert sizes["pytest"] > 100_000
    assert "numpy" not in sizes


def _runs(pid: str) -> bool:
    try:
        status = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return status != "Z"
