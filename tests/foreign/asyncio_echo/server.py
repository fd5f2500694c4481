"""Echo server: lines of raw text, one asyncio task per connection, IPv4 and IPv6."""

import asyncio
import signal
import socket
import sys

MAX_LINE = 100_000


async def serve_client(reader, writer):
    pending = b""
    try:
        while len(pending) < MAX_LINE and (data := await reader.read(4096)):
            *lines, rest = (pending + data).split(b"\n")
            for line in lines:
                if line.rstrip(b"\r") == b"/quit":
                    return
                writer.write(line + b"\n")
            await writer.drain()
            if rest == b"/quit" == data[-5:]:
                return
            pending = rest
        writer.write(pending)
        await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass  # gone, or Ctrl-C
    finally:
        writer.close()


def open_listener(port):
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


async def main(listener):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    await asyncio.start_server(serve_client, sock=listener)
    print("echoing on port", listener.getsockname()[1], flush=True)
    await stop.wait()
    print("stopped")


if __name__ == "__main__":
    try:
        socket_to_listen_on = open_listener(int(sys.argv[1]))
    except (IndexError, ValueError, OverflowError):
        sys.exit("usage: server.py PORT")
    except OSError as error:
        sys.exit(f"cannot listen: {error}")
    asyncio.run(main(socket_to_listen_on))
