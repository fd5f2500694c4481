"""What the operating system sees of the programs under test (Linux, proc(5)).

The harness proves absence by emptiness. A message that has not arrived yet is always somewhere:
in a program that is running, in a socket's queue, or in a terminal's buffer. When every task
sleeps, spends no CPU time and every queue is empty, nothing is under way, and what has not
arrived will not arrive. That holds on an overloaded machine too: a program that waits for the
processor is runnable, not asleep.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

LINUX = sys.platform == "linux"

_LISTEN = "0A"
_CLONE_NEWNET = 0x40000000  # sched.h
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_IFF_UP = 1
_RTM_NEWROUTE = 24  # linux/rtnetlink.h, as all that follows
_RTA_DST, _RTA_OIF, _RTA_PREFSRC, _RTA_METRICS, _RTAX_QUICKACK = 1, 4, 7, 8, 15
_TABLE_LOCAL, _PROTO_KERNEL, _SCOPE_HOST, _TYPE_LOCAL = 255, 2, 254, 2
_REPLACE = 0x1 | 0x4 | 0x100 | 0x400  # linux/netlink.h: request, acknowledge, replace, create
_CHILD_TABLE = "/proc/sys/net/ipv4/tcp_child_ehash_entries"  # ip-sysctl.rst, Linux 6.1
_ASLEEP = frozenset("STtZXI")
_CHILDREN_ARE_LISTED = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # Linux 3.5
_TIMER_SLEEPS = frozenset({b"35", b"230", b"101", b"115"})  # (clock_)nanosleep on x86-64 and arm64


def own_network() -> bool:
    """Move this thread, and what it starts, into a network namespace of its own, loopback up.

    So a program that always takes port 8080 meets no other check, and no TIME_WAIT of an earlier
    one. Returns False where the system does not allow it (unshare(2) needs CAP_SYS_ADMIN).
    """
    if not LINUX:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        return False
    # To list the connections the kernel walks a hash table made for millions of them (8 ms). A
    # namespace made below one with this setting gets a small table of its own (0.06 ms).
    with contextlib.suppress(OSError), open(_CHILD_TABLE, "w") as setting:
        setting.write("256")
        setting.flush()
        libc.unshare(_CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _IFF_UP, b""))
    with contextlib.suppress(OSError):
        acknowledge_at_once("127.0.0.0", 8)
        acknowledge_at_once("127.0.0.1", 32)
    return True


def acknowledge_at_once(address: str, prefix_length: int) -> None:
    """Let TCP over this loopback route acknowledge whatever arrives at once (ip-route(8),
    quickack). Raises OSError.

    What nobody has acknowledged yet stands in its sender's queue. Who only listens acknowledges
    after 40 ms, in the hope of something to send with it, and every fence would wait for that.
    """
    where = _attribute(_RTA_DST, socket.inet_aton(address))
    where += _attribute(_RTA_OIF, struct.pack("I", socket.if_nametoindex("lo")))
    where += _attribute(_RTA_PREFSRC, socket.inet_aton("127.0.0.1"))
    how = _attribute(_RTA_METRICS, _attribute(_RTAX_QUICKACK, struct.pack("I", 1)))
    route = struct.pack(
        "8BI", socket.AF_INET, prefix_length, 0, 0,
        _TABLE_LOCAL, _PROTO_KERNEL, _SCOPE_HOST, _TYPE_LOCAL, 0,
    )  # fmt: skip
    body = route + where + how
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as control:
        control.send(struct.pack("IHHII", 16 + len(body), _RTM_NEWROUTE, _REPLACE, 1, 0) + body)
        (error,) = struct.unpack_from("i", control.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error))


def _attribute(kind: int, data: bytes) -> bytes:
    """An attribute of a netlink message: its length, its kind, its data, to a multiple of 4."""
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends (prctl(2)).

    A program that daemonises leaves its process group and session, but not our family.
    """
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Connection(NamedTuple):
    """A row of /proc/net/tcp{,6}; queues are in bytes (for a listener: waiting connections)."""

    local_port: int
    remote_port: int
    state: str
    send_queue: int
    receive_queue: int
    inode: int

    @property
    def is_listener(self) -> bool:
        """True for a socket in the state LISTEN."""
        return self.state == _LISTEN


def connections() -> list[Connection]:
    """Every TCP socket of this network namespace."""
    rows = []
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with contextlib.suppress(OSError):
            lines = _read(table).decode().splitlines()
            rows += [_parse(line.split()) for line in lines[1:]]
    return rows


def _parse(field: list[str]) -> Connection:
    send, receive = field[4].split(":")
    return Connection(
        local_port=int(field[1].rpartition(":")[2], 16),
        remote_port=int(field[2].rpartition(":")[2], 16),
        state=field[3],
        send_queue=int(send, 16),
        receive_queue=int(receive, 16),
        inode=int(field[9]),
    )


def family(roots: Iterable[int]) -> set[int]:
    """The processes `roots` and all their living descendants."""
    children_of = _listed_children if _CHILDREN_ARE_LISTED else _children_by_parent().__getitem__
    found: set[int] = set()
    waiting = [pid for pid in roots if os.path.exists(f"/proc/{pid}")]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children_of(pid)
    return found


def _listed_children(pid: int) -> list[int]:
    # A list read while a child ends may lack a sibling (proc(5)): believed is what is read twice,
    # or, of a program that starts and ends children without a pause, all that was ever read.
    seen: set[int] = set()
    for _ in range(5):
        now = _children_of_each_task(pid)
        if seen == set(now):
            break
        seen |= set(now)
    return sorted(seen)


def _children_of_each_task(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = collections.defaultdict(list)
    for pid in _all_processes():
        children[parent_of(pid)].append(pid)
    return children


def _all_processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def parent_of(pid: int) -> int:
    """The parent's process id, or 0 where the process is gone."""
    stat = _stat_fields(f"/proc/{pid}/stat")
    return int(stat[1]) if stat else 0


def _stat_fields(path: str) -> list[str]:
    """The fields of a stat file behind the command name, which may hold blanks and brackets."""
    try:
        return _read(path).rpartition(b")")[2].decode().split()
    except OSError:
        return []


def _read(path: str) -> bytes:
    """The whole of a file in /proc, for what is read some hundred times a second: `open` takes
    twice as long for a small one, for the objects that it makes. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def forks_so_far() -> str:
    """The machine's count of processes ever started: unchanged means no new descendants."""
    try:
        lines = _read("/proc/stat").decode().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("processes")), "")


def socket_inodes(pids: Iterable[int]) -> set[int]:
    """The inodes of all sockets that these processes hold open."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                    if target.startswith("socket:["):
                        inodes.add(int(target[8:-1]))
    return inodes


def descriptors(pids: Iterable[int]) -> int:
    """How many file descriptors these processes hold open."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/fd"))
    return count


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory of these processes in bytes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int(_read(f"/proc/{pid}/statm").split()[1])
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def threads(pids: Iterable[int]) -> int:
    """How many tasks these processes have: one for each thread, at least one a process."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/task"))
    return count


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that these processes have used, user and system, in seconds."""
    ticks = 0
    for pid in pids:
        stat = _stat_fields(f"/proc/{pid}/stat")
        if stat:
            ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Look:
    """One look at all tasks and queues. Two equal, restful looks in a row are a proof."""

    tasks: dict[int, tuple[str, int]]
    """Task id -> (state letter, CPU time in nanoseconds)."""
    queued: tuple[tuple[int, int, int, int], ...]
    """Ports and bytes of every queue that is not empty."""
    dozing: bool
    """A task sleeps on a timer (nanosleep): it will go on by itself."""

    @property
    def asleep(self) -> bool:
        """True when no task is running or waiting for the processor or the disk."""
        return all(state in _ASLEEP for state, _ in self.tasks.values())

    @property
    def restful(self) -> bool:
        """True when nothing is under way: all asleep, all queues empty, no timer."""
        return self.asleep and not self.queued and not self.dozing

    def unmoved_since(self, earlier: Look) -> bool:
        """True when no task has run and no queue has changed since `earlier`."""
        return self.tasks == earlier.tasks and self.queued == earlier.queued

    def ran_since(self, earlier: Look, nanoseconds: int) -> bool:
        """True when each task that is awake has used that much CPU time since `earlier`: a busy
        loop, as opposed to a program that the machine has not let run."""
        return all(
            state in _ASLEEP or spent - earlier.tasks.get(task, ("", spent))[1] >= nanoseconds
            for task, (state, spent) in self.tasks.items()
        )


def look(pids: Iterable[int], ports: set[int] | None, unread: set[int]) -> Look:
    """Look at the tasks of `pids` and at the queues of this namespace.

    `ports` limits the queues to connections of these ports (None: all, in a namespace of our
    own); connections of the ports `unread` are left out: an actor does not read them on purpose.
    """
    tasks: dict[int, tuple[str, int]] = {}
    dozing = False
    for pid in pids:
        try:
            ids = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in ids:
            state = (_stat_fields(f"/proc/{pid}/task/{task}/stat") or ["X"])[0]
            if state not in "ZX":
                tasks[int(task)] = (state, _runtime(pid, task))
                dozing = dozing or (state == "S" and _on_timer(pid, task))
    return Look(tasks, _queued(ports, unread), dozing)


def _runtime(pid: int, task: str) -> int:
    try:
        return int(_read(f"/proc/{pid}/task/{task}/schedstat").split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _on_timer(pid: int, task: str) -> bool:
    try:
        return _read(f"/proc/{pid}/task/{task}/syscall").partition(b" ")[0] in _TIMER_SLEEPS
    except OSError:
        return False


def _queued(ports: set[int] | None, unread: set[int]) -> tuple[tuple[int, int, int, int], ...]:
    return tuple(
        (row.local_port, row.remote_port, row.send_queue, row.receive_queue)
        for row in connections()
        if (row.send_queue or row.receive_queue)
        and (ports is None or row.local_port in ports or row.remote_port in ports)
        and row.local_port not in unread
        and row.remote_port not in unread
    )


class TerminalFence:
    """Proves that what was written to any terminal so far has reached its other end.

    Bytes cross a pseudo-terminal in a kernel work queue, a moment after write(2) has returned.
    That queue is served in order, so once a byte of ours has crossed a terminal of our own, the
    bytes written before it have crossed theirs.
    """

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()

    def pass_through(self) -> None:
        """Return when everything written to a terminal before this call has crossed it."""
        os.write(self._slave, b".")
        os.read(self._master, 16)

    def close(self) -> None:
        """Free the terminal."""
        os.close(self._master)
        os.close(self._slave)
