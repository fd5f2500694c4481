"""What becomes of a name that a stranger chose, and of a file that is not complete (4.5, 4.B)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone4_p2p.inbox import IncomingFile, safe_name


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("file.txt", "file.txt"),
        ("my file.txt", "my file.txt"),
        ("../../x", "x"),
        ("/etc/passwd", "passwd"),
        ("été.txt", "été.txt"),
        (".profile", ".profile"),
        ("", "unnamed"),
        (".", "unnamed"),
        ("..", "unnamed"),
        ("a/..", "unnamed"),
        ("a/", "unnamed"),
        ("  ", "unnamed"),
        ("a\nb", "a b"),
        ("\x1b[2J", "_x1b[2J"),
        ("x" * 300 + ".txt", "x" * 196 + ".txt"),
    ],
)
def test_safe_name(wish: str, name: str) -> None:
    assert safe_name(wish) == name


@given(st.text())
def test_any_name_stays_in_the_folder(wish: str) -> None:
    name = safe_name(wish)
    assert "/" not in name
    assert "\0" not in name
    assert name not in ("", ".", "..")
    assert 0 < len(name.encode()) <= 200


def test_no_half_file_under_the_final_name(tmp_path: Path) -> None:
    incoming = IncomingFile(tmp_path / "inbox", "x.txt")
    incoming.write(memoryview(b"half"))
    assert not (tmp_path / "inbox" / "x.txt").exists()
    incoming.discard()
    assert list((tmp_path / "inbox").iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    saved = []
    for number in range(3):
        incoming = IncomingFile(tmp_path, "x.tar")
        incoming.write(memoryview(b"%d" % number))
        saved.append(incoming.save())
    assert [path.name for path in saved] == ["x.tar", "x (1).tar", "x (2).tar"]
    assert [path.read_bytes() for path in saved] == [b"0", b"1", b"2"]
    assert len(list(tmp_path.iterdir())) == 3


def test_not_through_a_link_either(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    incoming = IncomingFile(tmp_path, "x")
    assert incoming.save().name == "x (1)"
    assert not (tmp_path / "elsewhere").exists()


def test_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "x").write_bytes(b"old")
    incoming = IncomingFile(tmp_path, "x")
    incoming.write(memoryview(b"new"))
    assert incoming.save().read_bytes() == b"new"
    assert (tmp_path / "x").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x (1)"]
