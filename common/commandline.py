"""The command lines that every milestone shares: `server <port>` and `client <host> <port>`."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn

from common.addresses import parse_port
from common.errors import USAGE, UserError
from common.signals import end_signals

HELP_WIDTH = 100
"""Columns of `--help`. argparse would ask `shutil` for the terminal's, at every start, and that
loads what unpacks archives, too."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that complains in one line, as every other error of ours (1.1, 1.2)."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, formatter_class=_help)

    def error(self, message: str) -> NoReturn:
        """Raise UserError with the complaint and the usage."""
        usage = " ".join(self.format_usage().split())
        raise UserError(f"{message}; {usage}", USAGE)


def server_parser(description: str) -> Parser:
    """Return a parser for `server <port> [--host HOST] [--quiet]`."""
    parser = Parser(description=description)
    parser.add_argument("port", type=_port, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", help="name or address to listen on (default: all, IPv4 and IPv6)")
    parser.add_argument("--quiet", action="store_true", help="log nothing")
    return parser


def client_parser(description: str) -> Parser:
    """Return a parser for `client <host> <port>`."""
    parser = Parser(description=description)
    parser.add_argument("host", help="the server's name or address")
    parser.add_argument("port", type=_port, help="the server's port")
    return parser


def invitation(server_file: str, host: str | None, port: int) -> str:
    """Return the line a server prints when it is ready: its port, and how to join it."""
    client = os.path.relpath(Path(server_file).with_name("client.py"))
    return f"Listening on port {port}. Join with: python3 {client} {host or 'localhost'} {port}"


def end_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, so that everything is closed.

    For a program that waits in many places. One that waits in `poll()` alone takes
    `signals.catch_end_signals`. Once: a clean end is not interrupted again. `nohup` stays in force.
    """
    numbers = end_signals()

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, stop)


def _help(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=HELP_WIDTH)


def _port(text: str) -> str:
    """Check a port while the parser, which knows the usage, can still complain about it."""
    try:
        parse_port(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
