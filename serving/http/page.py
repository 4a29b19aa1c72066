"""The page at `/`: it may run nothing but what stands in it, and ask nobody but this server."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE = Path(__file__).with_name("page.html")


async def show_page(request: Request) -> Response:
    """The page, with the headers that keep everything else out of it."""
    text, policy = _page()
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return HTMLResponse(text, headers=headers)


@lru_cache(maxsize=1)
def _page() -> tuple[str, str]:
    text = _PAGE.read_text(encoding="utf-8")
    policy = [
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        f"script-src {_hash(text, 'script')}",
        f"style-src {_hash(text, 'style')}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return text, "; ".join(policy)


def _hash(text: str, element: str) -> str:
    """The digest of the page's one element of that name, as the policy wants it."""
    (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    digest = hashlib.sha256(inside.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
