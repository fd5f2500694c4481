"""Accounts: which name has which password (requirement 5.2).

What is stored is never the password but what `scrypt` makes of it and of a random salt. The way
back does not exist, a salt makes equal passwords look different, and every guess costs the one
who stole the file as much time and memory as it costs us.

Rules of this file:
- A password is an argument: it is not stored, not logged, not part of an error's text.
- Computing a hash takes tens of milliseconds and 16 MiB. No lock is held meanwhile, and only two
  threads of a pool compute hashes, so that a crowd at the door cannot eat memory and processors.
- Every attempt costs one hash, whether the name is new, known, or the password wrong: the time of
  an answer tells nothing. (Whether a name exists is no secret here: a new one gets in.)
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, NamedTuple

SCRYPT_COST: Final = 2**14
"""scrypt's n: with r = 8 one hash takes 128 * n * r bytes, 16 MiB."""
SCRYPT_MEMORY: Final = 32 * 1024 * 1024
"""Bytes that one hash may take before OpenSSL refuses."""
HASHES_AT_ONCE: Final = 2
SALT_BYTES: Final = 16


class PasswordHash(NamedTuple):
    """All that is stored of a password."""

    salt: bytes
    key: bytes


class Accounts:
    """Names and password hashes, in memory, or in an SQLite file that outlives the server.

    Used by all threads at once: `_lock` guards the database connection, `_hashing` is the pool
    that computes hashes. Why not a semaphore, and each client's thread computes its own? The C
    library's `malloc` keeps freed memory per thread for reuse: 16 MiB here, 16 MiB there, and
    the server grows though nobody stays. Two threads that stay reuse theirs.

    Raises sqlite3.Error or OSError where the file cannot be used.
    """

    def __init__(self, path: str | None = None) -> None:
        if path is not None:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # for nobody else's eyes
        self._lock = threading.Lock()
        self._hashing = start_pool(HASHES_AT_ONCE)
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False)
        with self._lock, self._database:
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS accounts"
                " (name TEXT PRIMARY KEY, salt BLOB NOT NULL, key BLOB NOT NULL)"
            )

    def admit(self, name: str, password: str) -> bool:
        """Register a new name; for a known one say whether the password is its own (5.2)."""
        stored = self.find(name)
        if stored is None:
            if self.add_if_new(name, self.hash_password(password)):
                return True
            stored = self.find(name)  # another thread was faster with the same new name
        return stored is not None and self.matches(stored, password)

    def find(self, name: str) -> PasswordHash | None:
        """Return what is stored for that name, or None."""
        with self._lock:
            rows = self._database.execute("SELECT salt, key FROM accounts WHERE name = ?", (name,))
            row = rows.fetchone()
        return None if row is None else PasswordHash(*row)

    def add_if_new(self, name: str, stored: PasswordHash) -> bool:
        """Store a new account; say False, and change nothing, if the name exists.

        Looking and storing are one step in the database: of two threads with the same new name,
        one wins.
        """
        with self._lock, self._database:
            added = self._database.execute(
                "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (name, *stored)
            )
        return added.rowcount == 1

    def hash_password(self, password: str) -> PasswordHash:
        """Return a hash with a fresh salt, fit to be stored (5.2)."""
        salt = secrets.token_bytes(SALT_BYTES)
        return PasswordHash(salt, self._scrypt(password, salt))

    def matches(self, stored: PasswordHash, password: str) -> bool:
        """Compare in constant time: `==` would stop at the first wrong byte, and that shows."""
        return hmac.compare_digest(stored.key, self._scrypt(password, stored.salt))

    def close(self) -> None:
        """End the pool and close the database."""
        self._hashing.shutdown()
        with self._lock:
            self._database.close()

    def _scrypt(self, password: str, salt: bytes) -> bytes:
        return self._hashing.submit(scrypt, password, salt).result()


def scrypt(password: str, salt: bytes) -> bytes:
    """Return the 64 bytes that stand for the password; other Python threads run meanwhile."""
    return hashlib.scrypt(
        password.encode(), salt=salt, n=SCRYPT_COST, r=8, p=1, maxmem=SCRYPT_MEMORY
    )


def start_pool(size: int) -> ThreadPoolExecutor:
    """Return a pool whose threads run already: it would otherwise start them one by one."""
    pool = ThreadPoolExecutor(size, thread_name_prefix="hash")
    all_here = threading.Barrier(size)
    wait([pool.submit(all_here.wait) for _ in range(size)])
    return pool
