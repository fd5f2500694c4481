"""Echo client: prints every line that the server sends behind `<<`."""

import asyncio
import os
import sys
import threading


def read_keyboard(loop, typed):
    """Runs in a thread: raw reads, so that nothing holds the interpreter back at its end."""
    while data := os.read(0, 65536):
        loop.call_soon_threadsafe(typed.put_nowait, data)
    loop.call_soon_threadsafe(typed.put_nowait, b"")


async def show(reader):
    pending = b""
    while data := await reader.read(65536):
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            print("<<", line.decode(errors="replace"), flush=True)
    if pending:
        print("<<", pending.decode(errors="replace"))
    print("the server hung up")


async def send(writer, typed):
    """True when the user said /quit, False when the input just ended."""
    pending = b""
    while data := await typed.get():
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            writer.write(line + b"\n")
            await writer.drain()
            if line == b"/quit":
                return True
    writer.write(pending)
    writer.write_eof()
    return False


async def main(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    print(f"connected to {host}", flush=True)
    typed = asyncio.Queue()
    arguments = (asyncio.get_running_loop(), typed)
    threading.Thread(target=read_keyboard, args=arguments, daemon=True).start()
    listening = asyncio.create_task(show(reader))
    sending = asyncio.create_task(send(writer, typed))
    await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
    if listening.done() and not sending.done():
        return 1  # the server went first
    if not sending.result():
        await listening  # the last echoes are still on their way
    print("bye")
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")
    try:
        address = sys.argv[1], int(sys.argv[2])
    except (IndexError, ValueError):
        sys.exit("usage: client.py HOST PORT")
    try:
        status = asyncio.run(main(*address))
    except (OSError, OverflowError) as error:
        sys.exit(f"connection trouble: {error}")
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
