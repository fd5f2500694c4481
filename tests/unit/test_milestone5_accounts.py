"""Accounts: hashes, never passwords; one winner per name; a file outlives the server (5.2)."""

from __future__ import annotations

import hashlib
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone5_threads import accounts as module
from milestone5_threads.accounts import Accounts


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here does not depend on the price of a hash."""
    monkeypatch.setattr(module, "SCRYPT_COST", 2)


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    accounts = Accounts()
    yield accounts
    accounts.close()


def test_a_new_name_is_registered_with_its_password(accounts: Accounts) -> None:
    assert accounts.find("alice") is None
    assert accounts.admit("alice", "secret")
    assert accounts.find("alice") is not None


def test_a_known_name_needs_its_password(accounts: Accounts) -> None:
    accounts.admit("alice", "secret")
    assert accounts.admit("alice", "secret")
    for wrong in ("Secret", "secret ", "secre", ""):
        assert not accounts.admit("alice", wrong)
    assert accounts.admit("alice", "secret"), "wrong attempts must not change the password"


def test_equal_passwords_are_stored_differently_and_not_in_clear(accounts: Accounts) -> None:
    accounts.admit("alice", "secret")
    accounts.admit("bob", "secret")
    alice, bob = accounts.find("alice"), accounts.find("bob")
    assert alice is not None and bob is not None
    assert alice.salt != bob.salt
    assert alice.key != bob.key
    assert b"secret" not in alice.salt + alice.key


def test_the_price_of_a_hash_is_the_promised_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real price, for once
    expected = hashlib.scrypt(b"pw", salt=b"salt", n=2**14, r=8, p=1, maxmem=2**25)
    assert module.scrypt("pw", b"salt") == expected


def test_of_many_threads_with_the_same_new_name_one_wins(accounts: Accounts) -> None:
    """All look before any stores: the others must then bring the winner's password."""
    count = 8
    all_looked = threading.Barrier(count, timeout=10)
    hash_password = accounts.hash_password

    def wait_then_hash(password: str) -> module.PasswordHash:
        all_looked.wait()
        return hash_password(password)

    accounts.hash_password = wait_then_hash  # type: ignore[method-assign]
    admitted: list[str] = []

    def try_one(password: str) -> None:
        if accounts.admit("alice", password):
            admitted.append(password)

    threads = [threading.Thread(target=try_one, args=(f"p{i}",)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(admitted) == 1
    assert accounts.admit("alice", admitted[0])


def test_no_more_hashes_at_once_than_promised(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten threads want a hash; two are computed at a time, and two really are."""
    lock = threading.Lock()
    pair = threading.Barrier(module.HASHES_AT_ONCE, timeout=10)
    running, most = 0, 0

    def slow(password: str, salt: bytes) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pair.wait()  # until the other one is here
        with lock:
            running -= 1
        return b"key"

    monkeypatch.setattr(module, "scrypt", slow)
    threads = [threading.Thread(target=accounts.admit, args=(f"u{i}", "p")) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == module.HASHES_AT_ONCE


def test_a_file_keeps_accounts_and_is_for_nobody_elses_eyes(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    first = Accounts(str(path))
    first.admit("alice", "correct horse battery")
    first.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"correct horse" not in path.read_bytes()
    second = Accounts(str(path))
    assert second.admit("alice", "correct horse battery")
    assert not second.admit("alice", "another")
    second.close()


def test_memory_forgets(accounts: Accounts) -> None:
    accounts.admit("alice", "secret")
    other = Accounts()
    assert other.find("alice") is None
    other.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing to do with a chat\n" * 50)
    with pytest.raises(sqlite3.Error):
        Accounts(str(path))
    assert path.read_text() == "nothing to do with a chat\n" * 50
