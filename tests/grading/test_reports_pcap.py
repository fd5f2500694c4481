"""The capture of a failed check, and docs/chat.lua, in tshark (skipped where there is none)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from common.framing import Message, MessageType, encode
from grading import pcap
from grading.model import Record
from grading.run import ROOT

from . import report_models as models
from .report_models import check, event

TSHARK = shutil.which("tshark")
HELLO = encode(Message(MessageType.UNICAST_SEND, "alice", "bob", b"hello"))
FIELDS = ("type", "nick_sender", "infos", "pld_len", "payload")


def written(tmp_path: Path, *events: Record) -> Path:
    """The capture of a failed check in which this happened."""
    path = tmp_path / "failed.pcap"
    failed = check("2.9", "failed") | {"events": list(events)}
    pcap.write(models.result([failed]), path)
    return path


def shown(path: Path, *arguments: str) -> list[str]:
    """The lines that tshark prints of the frames in a capture."""
    if TSHARK is None:
        pytest.skip("no tshark here")
    script = f"lua_script:{ROOT / 'docs' / 'chat.lua'}"
    command = [TSHARK, "-X", script, "-r", str(path), "-Y", "mschat", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def fields(path: Path) -> list[str]:
    """The fields of every packet's frames, several of a kind separated by commas."""
    return shown(path, "-T", "fields", *(f"-emschat.{name}" for name in FIELDS))


def sends(data: bytes, actor: str = "alice") -> Record:
    """An event: these bytes go to the server."""
    return event(actor, "sends", data=data)


def test_without_failures_the_capture_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcap"
    pcap.write(models.full(), path)
    assert len(path.read_bytes()) == 24


def test_the_checksum_is_that_of_rfc_1071() -> None:
    header = bytes.fromhex("45000073000040004011" + "0000" + "c0a80001c0a800c7")
    assert pcap.checksum(header) == 0xB861


def test_a_frame_is_shown_field_by_field(tmp_path: Path) -> None:
    assert fields(written(tmp_path, sends(HELLO))) == ["4\talice\tbob\t5\thello"]


def test_frames_are_put_together_and_taken_apart(tmp_path: Path) -> None:
    path = written(tmp_path, sends(HELLO + HELLO[:100]), sends(HELLO[100:]))
    assert [line.split("\t")[0] for line in fields(path)] == ["4", "4"]
    joined = written(tmp_path, sends(HELLO * 2))
    assert fields(joined)[0].split("\t")[4] == "hello,hello"


def test_both_directions_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path, sends(HELLO), event("bob", "gets", data=HELLO))
    addresses = shown(path, "-T", "fields", "-eip.src", "-eip.dst", "-etcp.dstport")
    assert addresses == ["10.0.0.2\t10.0.0.1\t8082", "10.0.0.1\t10.0.0.3\t50003"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (HELLO, ""),
        (struct.pack("<i", -1) + HELLO[4:264], "pld_len is negative"),
        (struct.pack(">i", 5) + HELLO[4:264], "pld_len is too large: sent in the other byte order"),
        (HELLO[:4] + b"n" * 128 + HELLO[132:], "no NUL in nick_sender"),
        (HELLO[:136] + b"i" * 128 + HELLO[264:], "no NUL in infos"),
        (HELLO[:132] + struct.pack("<i", 99) + HELLO[136:], "unknown type"),
    ],
)
def test_malformed_frames_are_flagged(data: bytes, complaint: str, tmp_path: Path) -> None:
    path = written(tmp_path, sends(data))
    said = shown(path, "-T", "fields", "-e_ws.expert.message")
    assert len(said) == 1
    assert complaint in said[0]
    assert bool(shown(path, "-Y", "mschat.malformed")) == bool(complaint)
