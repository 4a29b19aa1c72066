"""How this process reaches an MLflow server, from the variables that MLflow's own clients read.

Leaves out MLflow's credentials file and client certificates.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from urllib.request import getproxies, proxy_bypass

import httpx

from tlsearch.errors import SetupError

ADDRESS_HINT = "set MLFLOW_TRACKING_URI to the address of the server: http://127.0.0.1:5000"


def parse_address(uri: str) -> httpx.URL:
    """The address of a server.

    Raises:
        SetupError: it is none. Nothing of it is quoted: it may hold a password.
    """
    try:
        url = httpx.URL(uri)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme in ("http", "https") and url.host:
        return url
    scheme, there, _ = uri.partition("://")
    raise SetupError(
        "models:/ needs the address of an MLflow server",
        received=f"{scheme}://..." if there else "no address of a server",
        expected="http://HOST:PORT or https://HOST",
        hint="`tlsearch ui` serves the embedded store: MLFLOW_TRACKING_URI=http://127.0.0.1:5000",
    )


def choose_auth(url: httpx.URL, environment: Mapping[str, str]) -> httpx.Auth | None:
    """As MLflow chooses: a user with a password, else a token, else what the address names.

    Raises:
        SetupError: no header can hold the token.
    """
    user = environment.get("MLFLOW_TRACKING_USERNAME")
    password = environment.get("MLFLOW_TRACKING_PASSWORD")
    token = environment.get("MLFLOW_TRACKING_TOKEN", "").strip()
    if user and password:
        return httpx.BasicAuth(user, password)
    if token:
        return _Bearer(token)
    return httpx.BasicAuth(url.username, url.password) if url.username else None


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        # An HTTP library would quote what it cannot send.
        if not (token.isascii() and token.isprintable()):
            raise SetupError(
                "the token for MLflow cannot be sent",
                received="MLFLOW_TRACKING_TOKEN with characters that no header may hold",
                expected="one line of printable ASCII",
                hint="copy the token again",
            )
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = self._header
        yield request


def choose_verification(environment: Mapping[str, str]) -> ssl.SSLContext | bool:
    """How the server's certificate is verified.

    Raises:
        SetupError: the file of certificates cannot be read.
    """
    if environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    path = environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    try:
        return ssl.create_default_context(cafile=path) if path else True
    except OSError as error:
        raise SetupError(
            "the certificates for MLflow cannot be read",
            received=f"{path} ({error.strerror or type(error).__name__})",
            expected="a PEM file",
            hint="correct MLFLOW_TRACKING_SERVER_CERT_PATH, or unset it",
        ) from error


def open_transport(
    url: httpx.URL, environment: Mapping[str, str], retries: int
) -> httpx.HTTPTransport:
    """The way to a server, by the proxy that the process is told to take, if to any.

    Raises:
        SetupError: the file of certificates cannot be read, the proxy cannot be used.
    """
    verify, proxy = choose_verification(environment), choose_proxy(url)
    try:
        return httpx.HTTPTransport(verify=verify, proxy=proxy, retries=retries)
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        # Nothing of the proxy's address is quoted but its scheme: it may hold a password.
        scheme = (proxy or "").partition("://")[0]
        raise SetupError(
            "the proxy on the way to MLflow cannot be used",
            received=f"{scheme}://..., {type(error).__name__}",
            expected="http://HOST:PORT; for socks5:// the package httpx[socks]",
            hint=f"correct {url.scheme}_proxy or all_proxy, or name {url.host} in no_proxy",
        ) from error


def choose_proxy(url: httpx.URL) -> str | None:
    """What httpx finds out by itself, but not for a transport that retries."""
    known = {} if proxy_bypass(url.host) else getproxies()
    proxy = known.get(url.scheme) or known.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
