"""A server that answers at once and does nothing: what the load generator itself can do.

PORT=... python nothing.py
"""

from __future__ import annotations

import asyncio

import httptools
import uvloop
from model import PORT

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n" + bytes(20)


class Nothing(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(_ANSWER)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Nothing, "127.0.0.1", PORT)
    await server.serve_forever()


uvloop.run(main())
