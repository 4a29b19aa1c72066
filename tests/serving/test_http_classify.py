"""Photos to labels over HTTP: good ones, several, and everything that only says it is one."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import httpx
import numpy as np
import pytest
from PIL import Image
from running import CARD, running, write_bundle
from tiny_bundle import LABELS, SIZE

from serving import Bundle, Engine
from tlsearch.data.photo import read_photo

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("classify") / "bundle")


@pytest.fixture(scope="module")
def server(folder):
    with running(folder, {"body_bytes": LIMIT}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.address, timeout=30) as client:
        yield client


def photo(colour="red", kind="JPEG", size=(40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


def noise(seed=0) -> bytes:
    stream = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(values).save(stream, "JPEG")
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with a few rows' worth of data."""

    def chunk(kind, data):
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10_000))
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return answer.json()["detail"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("media", ["image/jpeg", "application/octet-stream"])
def test_a_photo(client, kind, media):
    data = photo("blue", kind)
    answer = client.post("/v1/classify", content=data, headers={"content-type": media}).json()
    assert answer["label"] == "blue"
    assert (answer["model"], answer["version"]) == ("colours", "1")
    assert answer["predictions"][0] == {key: answer[key] for key in ("label", "probability")}
    assert sum(row["probability"] for row in answer["predictions"]) == pytest.approx(1)


def test_answers_are_those_of_the_engine(client, folder):
    engine = Engine(Bundle.open(folder))
    for seed in range(5):
        data = noise(seed)
        expected = engine.predict(read_photo(data, SIZE)[None])[0]
        rows = client.post("/v1/classify", content=data).json()["predictions"]
        given = {row["label"]: row["probability"] for row in rows}
        np.testing.assert_allclose([given[label] for label in LABELS], expected, atol=1e-6)


def test_real_photos_as_predict_sees_them(client, folder, flower_photos):
    engine = Engine(Bundle.open(folder))
    files = sorted(flower_photos.glob("*/*.jpg"))[::400]
    for prediction, file in zip(engine.classify(files), files, strict=True):
        answer = client.post("/v1/classify", content=file.read_bytes()).json()
        assert answer["label"] == prediction.label
        assert answer["probability"] == pytest.approx(prediction.probability, abs=1e-6)


@pytest.mark.parametrize(("top", "count"), [("1", 1), ("2", 2), ("3", 3), ("99", 3)])
def test_top(client, top, count):
    answer = client.post("/v1/classify", params={"top": top}, content=photo()).json()
    chances = [row["probability"] for row in answer["predictions"]]
    assert len(chances) == count
    assert chances == sorted(chances, reverse=True)


@pytest.mark.parametrize("top", ["0", "-1", "x", "1.5", "", "٣", "9" * 5000])
def test_no_top(client, top):
    assert "top" in problem(client.post("/v1/classify", params={"top": top}, content=photo()), 400)


def test_the_model_may_be_named(client):
    named = client.post("/v1/classify", params={"model": "colours"}, content=photo())
    assert named.status_code == 200
    for name in ("absent", "../bundle", "\x00", "a" * 2000):
        answer = client.post("/v1/classify", params={"model": name}, content=photo())
        assert "no model" in problem(answer, 404)


def test_several_photos(client):
    files = [
        ("photo", ("a.jpg", photo("red"))),
        ("photo", ("b.jpg", b"no photo")),
        ("other", ("c.jpg", photo("blue", "PNG"))),
        ("photo", ("d.jpg", photo()[:200])),
        ("photo", ("e.jpg", b"")),
    ]
    answer = client.post("/v1/classify", params={"top": 1}, files=files).json()
    assert answer["model"] == "colours"
    rows = answer["photos"]
    assert [row["name"] for row in rows] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert [row.get("label") for row in rows] == ["red", None, "blue", None, None]
    assert [row.get("error", {}).get("status") for row in rows] == [None, 415, None, 422, 400]
    assert len(rows[0]["predictions"]) == 1


def test_several_photos_of_which_none_can_be_read(client):
    problem(client.post("/v1/classify", files=[("a", ("a.jpg", b"x"))]), 415)


def test_forms_that_hold_no_photos(client):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert "no file" in problem(
        client.post("/v1/classify", headers=kind, content=b"--x--\r\n"), 400
    )
    problem(client.post("/v1/classify", headers=kind, content=b"nonsense"), 400)
    no_boundary = {"content-type": "multipart/form-data"}
    problem(client.post("/v1/classify", headers=no_boundary, content=b"x"), 400)
    many = [("a", (f"{number}.jpg", b"x")) for number in range(100)]
    problem(client.post("/v1/classify", files=many), 400)


def form_of(name: bytes) -> bytes:
    part = b'--x\r\ncontent-disposition: form-data; name="a"; filename="' + name + b'"\r\n\r\n'
    return part + photo() + b"\r\n--x--\r\n"


@pytest.mark.parametrize("charset", ["UTF-8", '"utf-8"', "utf8"])
@pytest.mark.parametrize(
    ("name", "told"), [("jörg.jpg".encode(), "jörg.jpg"), (b"\xed\xa0\x80", "í\xa0\x80")]
)
def test_names_of_files_are_utf_8(client, charset, name, told):
    kind = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = client.post("/v1/classify", headers=kind, content=form_of(name))
    assert answer.json()["photos"][0]["name"] == told


@pytest.mark.parametrize(
    "charset", ["undefined", "punycode", "unicode_escape", "utf-16", "latin-1", "rot13", "", "\xff"]
)
def test_other_charsets_of_forms_are_refused(client, charset):
    kind = {"content-type": f"multipart/form-data; boundary=x; charset={charset}".encode("latin-1")}
    answer = client.post("/v1/classify", headers=kind, content=form_of(rb"\ud800"))
    assert "UTF-8" in problem(answer, 400)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"no photo", 415, "JPEG, PNG, WEBP"),
        (photo(kind="GIF"), 415, "JPEG, PNG, WEBP"),
        (photo(kind="TIFF"), 415, "JPEG, PNG, WEBP"),
        (noise()[:1000], 422, "truncated"),
        (photo(kind="PNG")[:60], 422, ""),
        (photo(kind="WEBP")[:-20], 422, ""),
        (png_header(30_000, 30_000), 422, "50,000,000"),
        (png_header(7_000, 7_200), 422, "50,000,000"),
        (png_header(5_000, 5_000), 422, ""),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, ""),
        (b"\xff\xd8\xff\xe0" + bytes(100), 415, ""),
    ],
    ids=lambda value: value[:8].hex() if isinstance(value, bytes) else None,
)
def test_what_is_no_photo(client, data, status, words):
    assert words in problem(client.post("/v1/classify", content=data), status)


def test_the_name_of_a_file_says_nothing(client):
    files = [("photo", ("red.jpg", photo("red", "PNG"), "image/jpeg"))]
    assert client.post("/v1/classify", files=files).json()["photos"][0]["label"] == "red"


def test_compressed_photos_are_refused(client):
    headers = {"content-encoding": "gzip"}
    answer = client.post("/v1/classify", headers=headers, content=gzip.compress(photo()))
    assert "Content-Encoding" in problem(answer, 415)


def test_too_large_a_body(client):
    problem(client.post("/v1/classify", content=bytes(LIMIT + 1)), 413)


def test_fewer_formats_and_pixels(folder):
    from serving.options import PhotoOptions

    photos = PhotoOptions(formats=("PNG",), pixels=1000, count=2)
    with running(folder, photos=photos) as server, httpx.Client(base_url=server.address) as client:
        small = photo(kind="PNG", size=(20, 20))
        assert client.post("/v1/classify", content=small).status_code == 200
        assert "formats PNG" in problem(client.post("/v1/classify", content=photo()), 415)
        assert "1,000" in problem(client.post("/v1/classify", content=photo(kind="PNG")), 422)
        three = [("a", ("a.png", small))] * 3
        problem(client.post("/v1/classify", files=three), 400)


def test_other_addresses_and_methods(client):
    assert client.get("/v1/card").text == CARD
    assert client.get("/v1/card").headers["content-type"].startswith("text/markdown")
    problem(client.get("/v1/card", params={"model": "absent"}), 404)
    problem(client.get("/v1/classify"), 405)
    problem(client.get("/v2/models/colours/infer"), 405)
    problem(client.delete("/v2"), 405)
    problem(client.get("/absent"), 404)
    problem(client.get("/../../etc/passwd"), 404)
    problem(client.get("/v2/models/..%2f..%2fetc%2fpasswd"), 404)
    problem(client.get("/v2/models/%00"), 404)
    problem(client.post("/v2/repository/models/..%2fx/load"), 404)
    problem(client.post("/v1/models/colours/rollback"), 404)
    problem(client.post("/v2/repository/index", content=b"[NaN"), 400)
    problem(client.post("/v2/repository/index", content=b"[]"), 400)
    assert client.post("/v2/repository/index", content=b'{"ready": true}').json()


def test_metrics(client):
    client.post("/v1/classify", content=photo("lime"))
    client.post("/v1/classify", content=b"no photo")
    text = client.get("/metrics").text
    for outcome in ("ok", "invalid"):
        (row,) = [line for line in text.splitlines() if f'outcome="{outcome}"' in line]
        assert float(row.split()[-1]) >= 1
    assert "decode" in text
