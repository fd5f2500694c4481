"""The rows of the table: which servers do which work, and what was to be reached.

Every row measures its contenders in turn, several rounds of it: what else the machine does then
disturbs all of them alike. Of the CPU times the smallest counts, since a disturbance can only add;
of rates and latencies the median.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import contenders
from bench.build import Missing
from bench.contenders import Contender
from bench.load import Load, Prepare, Sample, echoes, measure, pairs, room
from bench.process import Failed, Server, allow_descriptors
from bench.talk import Client


@dataclass(frozen=True)
class Form:
    """How long and how often: the short form, or the long one."""

    seconds: float
    rounds: int
    idle: Sequence[int]
    idle_threads: Sequence[int]
    long: bool


SHORT = Form(0.5, 3, (0, 1000, 5000), (0, 475, 950), long=False)
LONG = Form(1.0, 5, (0, 300, 1000, 3000, 5000, 9000), (0, 100, 300, 600, 950), long=True)


@dataclass
class Row:
    """One row's measurements: figures by contender, one for each round."""

    key: str
    title: str
    unit: str  # of `cost`
    samples: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)  # contender: why

    def add(self, name: str, figures: dict[str, float]) -> None:
        """Note one round's figures."""
        self.samples.setdefault(name, []).append(figures)

    def best(self, name: str, figure: str = "per_delivery") -> float:
        """Return the smallest of a contender's figures."""
        return min(sample[figure] for sample in self.samples[name])

    def median(self, name: str, figure: str) -> float:
        """Return the middle one of a contender's figures."""
        return statistics.median(sample[figure] for sample in self.samples[name])


def say(text: str) -> None:
    """Tell whoever waits what is done now."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def clients_of(contender: Contender, server: Server) -> Iterator[Callable[[], Client]]:
    """Yield a function that connects one more client; close them all at the end."""
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(contender.client(server.port))
        return clients[-1]

    try:
        yield connect
    finally:
        for client in clients:
            client.close()


def run_once(contender: Contender, prepare: Prepare, load: Load, idle: int = 0) -> Sample:
    """Start a server, prepare its clients, measure, end it."""
    with contender.start() as server, clients_of(contender, server) as connect:
        add_idle(contender, connect, idle)
        return measure(server, prepare(connect), load)


def add_idle(contender: Contender, connect: Callable[[], Client], count: int) -> None:
    """Connect clients that say nothing more; logged in, but with threads (scrypt is slow)."""
    log_in = "milestone 5" not in contender.name
    for number in range(count):
        client = connect()
        if log_in:
            client.log_in(f"i{number:05}")


def in_turn(row: Row, rivals: Sequence[tuple[Contender, Prepare]], load: Load, rounds: int) -> None:
    """Measure all rivals, round after round; who is missing is left out with the reason."""
    say(f"{row.key}: {', '.join(contender.name for contender, _ in rivals)}")
    for _ in range(rounds):
        for contender, prepare in rivals:
            if contender.name in row.absent:
                continue
            try:
                row.add(contender.name, run_once(contender, prepare, load).figures())
            except Missing as missing:
                row.absent[contender.name] = str(missing)
                say(f"  left out: {missing}")
            except Failed as failed:
                row.absent[contender.name] = f"failed: {failed}"
                say(f"  {contender.name} failed: {failed}")


PER_MESSAGE = "µs of CPU per message delivered"


def echo(form: Form) -> list[Row]:
    """Milestone 1 beside an echo server in C, asyncio and uvloop."""
    rows = []
    for how, words in (
        ("together", "sent together"),
        ("apart", "each sent on its own"),
    ):
        row = Row(f"echo-{how}", f"echo, 50 clients, 8 messages under way, {words}", PER_MESSAGE)
        rivals = [
            contenders.ours(1),
            contenders.c_echo(),
            contenders.asyncio_echo(),
            contenders.asyncio_echo("uvloop"),
        ]
        in_turn(row, [(who, echoes(50)) for who in rivals], Load(form.seconds, 8, how), form.rounds)
        rows.append(row)
    return rows


def rooms(form: Form) -> list[Row]:
    """Milestones 3 and 4 beside ngircd, and the bare relay that shows the floor."""
    rows = []
    for members, talking in ((20, 10), (100, 20)):
        for window in (1, 8):
            row = Row(
                f"room-{members}-{window}",
                f"room of {members}, {talking} talking, {window} under way",
                PER_MESSAGE,
            )
            rivals = [
                contenders.ours(3),
                contenders.ours(4),
                contenders.ngircd(),
                contenders.c_relay(members),
            ]
            prepare = room(members, talking)
            in_turn(
                row, [(who, prepare) for who in rivals], Load(form.seconds, window), form.rounds
            )
            rows.append(row)
    return rows


def private(form: Form) -> list[Row]:
    """Milestone 2 beside ngircd and servers of equal function on asyncio."""
    rows = []
    for window in (1, 8):
        row = Row(
            f"pairs-{window}",
            f"private messages in 50 pairs, {window} under way",
            PER_MESSAGE,
        )
        rivals = [
            contenders.ours(2),
            contenders.ngircd(),
            contenders.asyncio_chat("streams"),
            contenders.asyncio_chat("protocol"),
            contenders.asyncio_chat("protocol", "uvloop"),
            contenders.c_relay(2),
        ]
        in_turn(row, [(who, pairs(50)) for who in rivals], Load(form.seconds, window), form.rounds)
        rows.append(row)
    return rows


def idle(form: Form) -> list[Row]:
    """50 busy clients beside more and more idle ones: poll, epoll, threads."""
    row = Row(
        "idle",
        "private messages of 25 talkers to 25 listeners, 1 under way, beside idle clients",
        PER_MESSAGE,
    )
    threads = contenders.ours(5, "--max-clients", "1000")
    kinds = [
        ("poll", contenders.ours(2), form.idle),
        ("epoll", contenders.ours(2, "--poller", "epoll"), form.idle),
        ("threads", threads, form.idle_threads),
    ]
    load = Load(form.seconds, 1)
    most = max(form.idle)
    if not allow_descriptors(most + 500):
        row.absent[f"{most} clients"] = "the limit of descriptors is lower: ulimit -n"
    say(f"idle: poll, epoll and threads beside up to {most} idle clients")
    for _ in range(form.rounds):
        for name, contender, counts in kinds:
            for count in counts:
                if not allow_descriptors(count + 200):
                    continue
                who = f"{name} {count}"
                try:
                    figures = run_once(contender, pairs(25, both=False), load, count).figures()
                    row.add(who, {**figures, "idle": count})
                except Failed as failed:
                    row.absent[who] = f"failed: {failed}"
                    say(f"  {who} failed: {failed}")
    return [row]


def memory(form: Form) -> list[Row]:
    """What a client that is logged in and silent costs in memory."""
    row = Row("memory", "memory of the server per idle client", "KiB")
    count = 4000 if allow_descriptors(4500) else 500
    rivals = [
        contenders.ours(2),
        contenders.ours(4),
        contenders.ngircd(),
        contenders.asyncio_chat("protocol"),
        contenders.ours(5, "--max-clients", "1000"),
    ]
    say(f"memory: {count} idle clients")
    for contender in rivals:
        many = count if "milestone 5" not in contender.name else 900
        try:
            row.add(contender.name, memory_once(contender, many))
        except Missing as missing:
            row.absent[contender.name] = str(missing)
        except Failed as failed:
            row.absent[contender.name] = f"failed: {failed}"
    return [row]


def memory_once(contender: Contender, count: int) -> dict[str, float]:
    """Return the growth of a server's memory for each of `count` silent clients."""
    with contender.start() as server, clients_of(contender, server) as connect:
        add_idle(contender, connect, 10)
        before = server.memory()
        for number in range(count):
            client = connect()
            if "milestone 5" not in contender.name:
                client.log_in(f"j{number:05}")
        if "milestone 5" in contender.name:
            wait_for_threads(server, 2 * count)
        return {
            "per_client": (server.memory() - before) / count,
            "clients": count,
            "memory": server.memory(),
            "threads": server.threads(),
        }


def wait_for_threads(server: Server, count: int) -> None:
    """Wait until a server has that many threads."""
    deadline = time.monotonic() + 20
    while server.threads() < count:
        if time.monotonic() > deadline:
            raise Failed(f"{server.threads()} threads, {count} were expected")
        time.sleep(0.05)


def figures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain values, for JSON."""
    return [
        {
            "key": row.key,
            "title": row.title,
            "unit": row.unit,
            "samples": row.samples,
            "absent": row.absent,
        }
        for row in rows
    ]
