"""An echo server on asyncio, or on uvloop, at its fastest: a Protocol, no streams.

python -m bench.peers.asyncio_echo asyncio|uvloop
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast


class Echo(asyncio.Protocol):
    """Sends back what comes; reads on only when the peer has taken it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


async def serve() -> None:
    """Echo until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024)
    print(f"Listening on port {server.sockets[0].getsockname()[1]}.", flush=True)
    await server.serve_forever()


def run() -> None:
    """Run `serve` on the loop that the command line names."""
    if sys.argv[1:] == ["uvloop"]:
        import uvloop

        uvloop.run(serve())
    else:
        asyncio.run(serve())


if __name__ == "__main__":
    run()
