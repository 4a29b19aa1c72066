"""Bundles fetched from MLflow servers that are run as people run them."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from mlflow_registry import Registrar, copied, free_port, mlflow_server

from serving import Bundle, Engine
from serving.mlflow_rest import Allowance, MLflowServer, Unreachable
from serving.registry import ModelUri, Registry, fetch_bundle
from tlsearch.errors import BundleError, SetupError, UsageError
from tlsearch.export.checksums import verify_checksums, write_checksums
from tlsearch.tracking.registry import register_bundle

PASSWORD = "a s3cret password"


@pytest.fixture
def registry(mlflow_proxied):
    registry = Registry(MLflowServer(mlflow_proxied.uri, {}))
    yield registry
    registry.close()


@pytest.fixture
def name(request):
    """A registered model's name that no other test has."""
    return request.node.name.replace("/", " ")


@pytest.fixture
def bundle(bundle_folder, tmp_path):
    return copied(bundle_folder, tmp_path)


def test_the_champion_is_fetched_whole(registry, registrar, bundle, name, tmp_path):
    version = registrar.register(name, bundle)
    assert registry.resolve(name, "champion") == version
    folder = registry.download(name, version, tmp_path / "kept").folder
    assert Engine(Bundle.open(folder)).replay_golden() < 1e-6
    assert {p.name for p in folder.iterdir()} == {p.name for p in bundle.iterdir()}
    assert [p.name for p in folder.parents[1].iterdir()] == [version]


def test_what_tlsearch_registers_can_be_served(registry, registrar, bundle, name, tmp_path):
    client = registrar.client
    run = client.create_run(registrar.experiment).info.run_id
    version = register_bundle(client, run, bundle, name, {"tlsearch.sweep": "colours"})
    assert registry.resolve(name, "champion") == version
    folder = registry.download(name, version, tmp_path / "kept").folder
    assert {p.name for p in folder.iterdir()} == {p.name for p in bundle.iterdir()}
    verify_checksums(folder)


def test_an_alias_moves(registry, registrar, bundle, name):
    first, second = (registrar.register(name, bundle) for _ in range(2))
    assert registry.resolve(name, "champion") == second
    registrar.move(name, "champion", first)
    assert registry.resolve(name, "champion") == first


def test_a_version_copied_to_another_model(registry, registrar, bundle, name, tmp_path):
    version = registrar.register(name, bundle)
    copy = registrar.client.copy_model_version(f"models:/{name}/{version}", f"{name} in production")
    verify_checksums(registry.download(copy.name, str(copy.version), tmp_path / "kept").folder)


def test_a_kept_bundle_is_not_fetched_again(registry, registrar, bundle, name, tmp_path):
    version = registrar.register(name, bundle)
    first = registry.download(name, version, tmp_path / "kept").folder
    before = first.stat().st_ino
    assert registry.download(name, version, tmp_path / "kept").folder == first
    assert first.stat().st_ino == before


@pytest.mark.parametrize("spoil", ["change", "remove", "add"])
def test_a_damaged_kept_bundle_is_fetched_again(registry, registrar, bundle, name, tmp_path, spoil):
    version = registrar.register(name, bundle)
    folder = registry.download(name, version, tmp_path / "kept").folder
    if spoil == "change":
        (folder / "golden.npz").write_bytes(b"other")
    elif spoil == "remove":
        (folder / "model.onnx").unlink()
    else:
        (folder / "more").write_text("more")
    verify_checksums(registry.download(name, version, tmp_path / "kept").folder)


def test_a_version_that_was_registered_anew_is_fetched(registry, registrar, bundle, name, tmp_path):
    version = registrar.register(name, bundle)
    registry.download(name, version, tmp_path / "kept")
    registrar.client.delete_registered_model(name)
    (bundle / "MODEL_CARD.md").write_text("# another\n")
    write_checksums(bundle)
    assert registrar.register(name, bundle) == version
    folder = registry.download(name, version, tmp_path / "kept").folder
    assert (folder / "MODEL_CARD.md").read_text() == "# another\n"


def test_a_kept_bundle_needs_no_server(bundle_folder, tmp_path, monkeypatch, make_bundle):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable, match="does not answer"):
        fetch_bundle("models:/flowers/3", tmp_path / "kept")
    server = uri.removeprefix("http://").replace(":", "%3A")
    place = tmp_path / "kept" / server / "flowers" / "3" / "bundle"
    make_bundle(place)
    assert fetch_bundle("models:/flowers/3", tmp_path / "kept") == place
    (place / "model.onnx").write_bytes(b"other")
    with pytest.raises(Unreachable, match="does not answer"):
        fetch_bundle("models:/flowers/3", tmp_path / "kept")


def test_no_such_model_alias_or_version(registry, registrar, bundle, name, tmp_path):
    registrar.register(name, bundle)
    with pytest.raises(SetupError, match="no models:/nobody@champion") as caught:
        registry.resolve("nobody", "champion")
    assert "export.register=nobody" in str(caught.value)
    with pytest.raises(SetupError, match="@best"):
        registry.resolve(name, "best")
    with pytest.raises(SetupError, match=f"{name}/17"):
        registry.download(name, "17", tmp_path)
    assert list(tmp_path.rglob("17*")) == []


def test_a_version_that_is_no_tlsearch_model(registry, registrar, name, tmp_path):
    version = registrar.register(name, None)
    with pytest.raises(BundleError, match="has no bundle") as caught:
        registry.download(name, version, tmp_path)
    assert "bundle/SHA256SUMS" in str(caught.value)


@pytest.mark.parametrize(
    "line", ["../evil", "/etc/passwd", "a/b", ".hidden", "..", "", "a\\b", "x\x00y"]
)
def test_a_name_that_leads_elsewhere_is_refused(registry, registrar, tmp_path, line):
    bundle = tmp_path / "files" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "SHA256SUMS").write_text(f"{'0' * 64}  {line}\n")
    version = registrar.register("hostile", bundle)
    with pytest.raises(BundleError, match="no usable SHA256SUMS"):
        registry.download("hostile", version, tmp_path / "kept")
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]


def test_a_bundle_that_is_damaged_in_the_registry(registry, registrar, bundle, name, tmp_path):
    (bundle / "model.onnx").write_bytes(b"other")
    version = registrar.register(name, bundle)
    with pytest.raises(BundleError, match="damaged in the registry") as caught:
        registry.download(name, version, tmp_path / "kept")
    assert caught.value.received == "model.onnx"
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]


def test_a_bundle_that_lacks_a_file_in_the_registry(registry, registrar, bundle, name, tmp_path):
    (bundle / "golden.npz").unlink()
    version = registrar.register(name, bundle)
    with pytest.raises(BundleError, match="damaged in the registry") as caught:
        registry.download(name, version, tmp_path / "kept")
    assert "golden.npz" in caught.value.received


def test_a_bundle_may_not_be_endless(registry, registrar, bundle, name, tmp_path):
    version = registrar.register(name, bundle)
    query = {"name": name, "version": version, "path": "bundle/model.onnx"}
    path, target = "model-versions/get-artifact", tmp_path / "model.onnx"
    size = (bundle / target.name).stat().st_size
    exact = Allowance(size, time.monotonic() + 60)
    registry.server.save(path, query, target, exact)
    assert (target.read_bytes(), exact.size) == ((bundle / "model.onnx").read_bytes(), 0)
    with pytest.raises(BundleError, match="too large"):
        registry.server.save(path, query, target, Allowance(size - 1, time.monotonic() + 60))
    with pytest.raises(Unreachable, match="too slowly"):
        registry.server.save(path, query, target, Allowance(size, time.monotonic() - 1))


@contextmanager
def answering(parts, pause):
    """A server that sends a head and then these parts, as slowly as it is told; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("parts", "pause", "seconds", "what"),
    [
        (itertools.repeat(b"x", 900), 0.02, 0.2, "too slowly"),
        ([b"x" * 900], 0, 60, "does not answer"),
    ],
    ids=["trickled", "cut off"],
)
def test_a_file_that_does_not_arrive(tmp_path, parts, pause, seconds, what):
    with answering(parts, pause) as address:
        server = MLflowServer(address, {})
        with pytest.raises(Unreachable, match=what):
            server.save("file", {}, tmp_path / "f", Allowance(10**6, time.monotonic() + seconds))
        server.close()


def test_a_folder_that_cannot_be_written(registry, registrar, bundle, name, tmp_path):
    version = registrar.register(name, bundle)
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(SetupError, match="cannot be written") as caught:
        registry.download(name, version, tmp_path / "kept")
    assert "TLSEARCH_HOME" in caught.value.hint


def test_another_name_than_the_server_knows(mlflow_proxied):
    server = MLflowServer(f"http://127.0.0.1:{mlflow_proxied.port}", {})
    with pytest.raises(SetupError, match="does not answer to the name") as caught:
        server.ask("registered-models/alias", name="a", alias="b")
    assert f"--allowed-hosts 127.0.0.1:{mlflow_proxied.port}" in caught.value.hint


def test_a_page_that_is_not_mlflows(mlflow_proxied, tmp_path):
    server = MLflowServer(f"{mlflow_proxied.uri}/elsewhere", {})
    with pytest.raises(SetupError, match="does not answer as MLflow does"):
        Registry(server).resolve("flowers", "champion")


@pytest.mark.parametrize(
    ("uri", "received"),
    [
        (None, "no address"),
        ("sqlite:///mlflow.db", "sqlite://..."),
        ("mlruns", "no address"),
        ("postgresql://anna:s3cret@db/mlflow", "postgresql://..."),
        ("http://", "http://..."),
        ("http://[::s3cret", "http://..."),
    ],
)
def test_an_address_that_is_no_servers(uri, received):
    with pytest.raises(SetupError, match="address of an MLflow server") as caught:
        MLflowServer(uri, {})
    assert received in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "tlsearch ui" in caught.value.hint


@pytest.mark.parametrize("token", ["s3cret\nX-Header: 1", "s3crét", "s3cret\x00"])
def test_a_token_that_no_header_holds(token):
    with pytest.raises(SetupError, match="cannot be sent") as caught:
        MLflowServer("http://127.0.0.1", {"MLFLOW_TRACKING_TOKEN": token})
    assert "s3cr" not in str(caught.value)


def test_a_password_in_the_address_is_not_shown():
    server = MLflowServer(f"http://anna:s3cret@127.0.0.1:{free_port()}", {})
    with pytest.raises(Unreachable) as caught:
        server.ask("model-versions/get", name="a", version="1")
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_certificates_that_are_not_there(tmp_path):
    environment = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(tmp_path / "none.pem")}
    with pytest.raises(SetupError, match=r"none\.pem"):
        MLflowServer("https://127.0.0.1", environment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models:/flowers@champion", ModelUri("flowers", alias="champion")),
        ("models:/flowers/12", ModelUri("flowers", version="12")),
        ("models:/wild flowers@a@b", ModelUri("wild flowers@a", alias="b")),
    ],
)
def test_what_names_a_version(text, expected):
    assert ModelUri.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "flowers@champion",
        "models:/flowers",
        "models:/flowers/",
        "models:/flowers@",
        "models:/@champion",
        "models:/flowers/latest",
        "models:/flowers/-1",
        "models:/../1",
        "models:/../../1",
        "models:/a/b@champion",
        "models://host/flowers/1",
        "models:/m-0123456789abcdef",
    ],
)
def test_what_names_none(text):
    with pytest.raises(UsageError, match="names no version"):
        ModelUri.parse(text)


def test_the_registry_needs_no_mlflow():
    show = (
        "import serving.registry, sys; print([m for m in ('mlflow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.slow
def test_a_server_that_serves_no_artifacts(bundle, name, tmp_path):
    """Clients reach the files themselves there; a server of models need not."""
    (tmp_path / "server").mkdir()
    options = ["--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "artifacts")]
    with mlflow_server(tmp_path / "server", *options) as server:
        registrar = Registrar(server.uri)
        version = registrar.register(name, bundle)
        assert list((tmp_path / "artifacts").rglob("SHA256SUMS"))
        registry = Registry(MLflowServer(server.uri, {}))
        verify_checksums(registry.download(name, version, tmp_path / "kept").folder)
        with pytest.raises(BundleError, match="has no bundle"):
            registry.download(name, registrar.register(name, None), tmp_path / "kept")
        with pytest.raises(SetupError, match=f"{name}/17"):
            registry.download(name, "17", tmp_path / "kept")


def make_certificate(folder):
    """A key and a certificate for localhost that it signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem"


@pytest.fixture
def secured(tmp_path):
    """A server with users, over TLS; its address and its certificate."""
    pytest.importorskip("flask_wtf", reason="the server's users need mlflow[auth]")
    certificate = make_certificate(tmp_path)
    settings = {"MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD, "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key"}
    tls = f"--ssl-keyfile {tmp_path}/key.pem --ssl-certfile {certificate}"
    options = ["--app-name", "basic-auth", "--uvicorn-opts", tls]
    with mlflow_server(tmp_path, *options, scheme="https", settings=settings) as server:
        yield server.uri, certificate


@pytest.mark.slow
def test_a_server_with_users_over_tls(secured, bundle, tmp_path, monkeypatch):
    uri, certificate = secured
    known = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate)}
    user = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    with pytest.raises(Unreachable, match="does not answer"):
        Registry(MLflowServer(uri, user)).resolve("flowers", "champion")
    wrong = known | user | {"MLFLOW_TRACKING_PASSWORD": "another s3cret"}
    for environment in (known, wrong):
        with pytest.raises(SetupError, match="credentials") as caught:
            Registry(MLflowServer(uri, environment)).resolve("flowers", "champion")
        assert "MLFLOW_TRACKING_USERNAME" in caught.value.hint
        assert "s3cret" not in str(caught.value)

    for key, value in (known | user).items():
        monkeypatch.setenv(key, value)
    version = Registrar(uri).register("flowers", bundle)
    insecure = user | {"MLFLOW_TRACKING_INSECURE_TLS": "true"}
    named = uri.replace("://", "://admin:" + PASSWORD.replace(" ", "%20") + "@")
    for server in (MLflowServer(uri, known | user), MLflowServer(uri, insecure)):
        assert Registry(server).resolve("flowers", "champion") == version
    kept = Registry(MLflowServer(named, known)).download("flowers", version, tmp_path / "kept")
    verify_checksums(kept.folder)
    assert not any(PASSWORD.split()[1] in path.as_posix() for path in kept.folder.parents)
