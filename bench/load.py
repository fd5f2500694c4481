"""One measurement: a server, its clients, the load generator between, and what it cost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench import build
from bench.process import Failed, Server, prefer
from bench.talk import STAMP, Client

WARM_UP = 0.15
"""Seconds of load before the measurement, to load code and grow buffers."""


@dataclass(frozen=True)
class Talker:
    """Who speaks, the bytes of one message, and who gets it."""

    client: Client
    message: bytes
    receivers: Sequence[Client]


@dataclass(frozen=True)
class Load:
    """How the load generator drives the talkers."""

    seconds: float
    window: int = 8
    how: str = "apart"


@dataclass(frozen=True)
class Sample:
    """What one run of the load generator showed."""

    delivered: int
    seconds: float  # by the clock
    cpu: float  # seconds of the server's CPU time
    load_cpu: float  # seconds of the load generator's
    p50: float  # seconds from a message's sending to its delivery
    p99: float

    @property
    def per_delivery(self) -> float:
        """Seconds of the server's CPU time for each delivery."""
        return self.cpu / self.delivered

    @property
    def rate(self) -> float:
        """Deliveries in each second of the clock."""
        return self.delivered / self.seconds

    def figures(self) -> dict[str, float]:
        """Return everything by name, for JSON."""
        return {**asdict(self), "per_delivery": self.per_delivery, "rate": self.rate}


def measure(server: Server, talkers: Sequence[Talker], load: Load) -> Sample:
    """Warm up, then run the load once and ask the kernel what the server used for it."""
    plan, clients = plan_of(talkers)
    run_generator(plan, clients, WARM_UP, load)
    before = server.cpu()
    told = run_generator(plan, clients, load.seconds, load)
    cpu = server.cpu() - before
    return Sample(
        delivered=int(told["delivered"]),
        seconds=told["seconds"],
        cpu=cpu,
        load_cpu=told["cpu"],
        p50=told["p50"],
        p99=told["p99"],
    )


def run_generator(
    plan: str, clients: Sequence[Client], seconds: float, load: Load
) -> dict[str, float | int]:
    """Start the load generator with the clients' descriptors. Returns what it printed."""
    prefer(os.getpid())
    done = subprocess.run(
        [build.program("load"), f"{seconds:g}", str(load.window), load.how],
        input=plan,
        text=True,
        capture_output=True,
        pass_fds=[client.sock.fileno() for client in clients],
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise Failed(done.stderr.strip() or f"load generator: exit status {done.returncode}")
    result: dict[str, float | int] = json.loads(done.stdout)
    return result


def plan_of(talkers: Sequence[Talker]) -> tuple[str, list[Client]]:
    """Let everybody talk once, to see what is delivered; return the load generator's plan."""
    units: dict[Client, tuple[int, int]] = {}
    for talker in talkers:
        talker.client.say(talker.message)
        for receiver in talker.receivers:
            delivery = receiver.next_delivery()
            unit = (len(delivery), delivery.index(b"0" * STAMP))
            if units.setdefault(receiver, unit) != unit:
                raise Failed(f"deliveries of different lengths: {units[receiver]}, {unit}")
    clients = list(dict.fromkeys([*units, *(talker.client for talker in talkers)]))
    for client in clients:
        client.fence()
        client.sock.settimeout(None)
    talks = {talker.client: talker for talker in talkers}
    lines = []
    for client in clients:
        length, at = units.get(client, (0, 0))
        line = f"{client.sock.fileno()} {length} {at}"
        if client in talks:
            message = talks[client].message
            stamp_at = message.index(b"0" * STAMP)
            line += f" {len(talks[client].receivers)} {stamp_at} {message.hex()}"
        else:
            line += " 0 0 -"
        lines.append(line)
    return "\n".join(lines) + "\n", clients


Prepare = Callable[[Callable[[], Client]], list[Talker]]
"""Makes clients with the function that it is given, and says who talks to whom."""


def echoes(count: int) -> Prepare:
    """Return a preparation of clients that each talk to themselves."""

    def prepare(connect: Callable[[], Client]) -> list[Talker]:
        clients = [connect() for _ in range(count)]
        return [Talker(client, client.private(""), [client]) for client in clients]

    return prepare


def pairs(count: int, *, both: bool = True) -> Prepare:
    """Return a preparation of pairs that write to each other, or only the first to the second."""

    def prepare(connect: Callable[[], Client]) -> list[Talker]:
        talkers = []
        clients: list[Client] = []
        for number in range(count):
            one, two = connect(), connect()
            one.log_in(f"a{number:03}")
            two.log_in(f"b{number:03}")
            talkers.append(Talker(one, one.private(two.name), [two]))
            if both:
                talkers.append(Talker(two, two.private(one.name), [one]))
            clients += [one, two]
        for client in clients:
            client.fence()  # past the news of who came
        return talkers

    return prepare


def room(members: int, talking: int) -> Prepare:
    """Return a preparation of a room in which some of the members talk."""

    def prepare(connect: Callable[[], Client]) -> list[Talker]:
        clients = [connect() for _ in range(members)]
        for number, client in enumerate(clients):
            client.log_in(f"m{number:03}")
            client.enter("tea", first=number == 0)
        for client in clients:
            client.fence()  # past the news of who came
        return [
            Talker(client, client.to_room("tea"), [other for other in clients if other != client])
            for client in clients[:talking]
        ]

    return prepare
