"""The state of milestones 2 to 4, without a socket: names, rooms, file requests."""

from __future__ import annotations

from datetime import datetime

import pytest

from milestone2_users.users import User, Users, clean_name, refuse_characters
from milestone3_rooms import rooms, users
from milestone4_p2p import requests
from milestone4_p2p import users as users4


def somebody() -> User:
    return User("127.0.0.1", 5000, datetime(2026, 1, 2, 3, 4))


class TestNames:
    @pytest.mark.parametrize("name", ["a", "Z", "0", "alice", "Alice2", "x" * 32, "server2"])
    def test_good(self, name: str) -> None:
        assert Users().refuse_name(somebody(), name) is None

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "missing"),
            ("al ice", "letters"),
            ("al_ice", "letters"),
            ("été", "letters"),
            ("\u0663", "letters"),  # a digit, but not of ours
            ("a\x1b[2J", "letters"),
            ("x" * 33, "32"),
            ("Server", "in use"),
            ("sErVeR", "in use"),
        ],
    )
    def test_refused_with_a_reason(self, name: str, reason: str) -> None:
        refusal = Users().refuse_name(somebody(), name)
        assert refusal is not None
        assert reason in refusal

    @pytest.mark.parametrize("raw", ["alice", " alice\r\n", "\talice\0\0", "alice "])
    def test_cleaned(self, raw: str) -> None:
        assert clean_name(raw) == "alice"

    def test_characters_alone(self) -> None:
        assert refuse_characters("Server") is None


class TestUsers:
    def test_taken_found_and_freed(self) -> None:
        everybody, alice = Users(), somebody()
        everybody.take_name(alice, "alice")
        assert everybody.find("alice") is alice
        assert everybody.find("Alice") is None
        assert list(everybody.everybody()) == [alice]
        everybody.free_name(alice)
        assert everybody.find("alice") is None
        assert list(everybody.everybody()) == []

    def test_in_use(self) -> None:
        everybody, alice = Users(), somebody()
        everybody.take_name(alice, "alice")
        assert "in use" in str(everybody.refuse_name(somebody(), "alice"))
        assert "already" in str(everybody.refuse_name(alice, "alice"))

    def test_old_name_is_free_at_once(self) -> None:
        everybody, alice, bob = Users(), somebody(), somebody()
        everybody.take_name(alice, "alice")
        everybody.take_name(alice, "carol")
        assert everybody.refuse_name(bob, "alice") is None
        assert alice.name == "carol"
        assert list(everybody.everybody()) == [alice]

    def test_nameless_leave_no_trace(self) -> None:
        everybody = Users()
        everybody.free_name(somebody())
        assert list(everybody.everybody()) == []


class TestRooms:
    def setup_method(self) -> None:
        self.rooms = rooms.Rooms()
        since = datetime(2026, 1, 2)
        self.alice, self.bob = (users.User("::1", port, since) for port in (1, 2))

    def test_create_enter_leave(self) -> None:
        assert self.rooms.refuse_name("tea") is None
        tea = self.rooms.create("tea")
        self.rooms.enter(self.alice, tea)
        self.rooms.enter(self.bob, tea)
        assert self.rooms.find("tea") is tea
        assert list(self.rooms.all_rooms()) == [tea]
        assert tea.members == [self.alice, self.bob]
        assert self.rooms.room_of(self.alice) is tea
        assert self.rooms.leave(self.alice) is tea
        assert self.rooms.room_of(self.alice) is None
        assert tea.members == [self.bob]
        assert self.rooms.leave(self.alice) is None

    def test_destroyed_only_when_empty(self) -> None:
        tea = self.rooms.create("tea")
        self.rooms.enter(self.alice, tea)
        assert not self.rooms.destroy_if_empty(tea)
        self.rooms.leave(self.alice)
        assert self.rooms.destroy_if_empty(tea)
        assert self.rooms.find("tea") is None
        assert self.rooms.refuse_name("tea") is None

    @pytest.mark.parametrize("name", ["", "a b", "x" * 33, "tea", "été"])
    def test_refused(self, name: str) -> None:
        self.rooms.create("tea")
        assert self.rooms.refuse_name(name)


class TestFileRequests:
    def setup_method(self) -> None:
        self.requests = requests.FileRequests()
        since = datetime(2026, 1, 2)
        self.alice, self.bob, self.carol = (users4.User("::1", n, since) for n in range(3))
        self.alice.name, self.bob.name, self.carol.name = "alice", "bob", "carol"

    def test_answered_once(self) -> None:
        assert self.requests.add(self.alice, self.bob)
        assert self.requests.answer(self.carol, "alice") is None
        assert self.requests.answer(self.bob, "alice") is self.alice
        assert self.requests.answer(self.bob, "alice") is None

    def test_answer_finds_who_asked_under_that_name(self) -> None:
        self.requests.add(self.alice, self.bob)
        self.alice.name, self.carol.name = "al", "alice"
        assert self.requests.answer(self.bob, "alice") is self.alice

    def test_counterparts_of_both_sides(self) -> None:
        self.requests.add(self.alice, self.bob)
        self.requests.add(self.bob, self.carol)
        assert self.requests.counterparts(self.bob) == [self.alice, self.carol]
        assert self.requests.counterparts(self.alice) == [self.bob]

    def test_withdrawn(self) -> None:
        self.requests.add(self.alice, self.bob)
        self.requests.withdraw(self.bob, self.alice)
        self.requests.withdraw(self.alice, self.bob)
        assert self.requests.counterparts(self.bob) == []

    def test_forgotten_when_either_leaves(self) -> None:
        for leaver in (self.alice, self.bob):
            self.requests.add(self.alice, self.bob)
            self.requests.forget(leaver)
            assert self.requests.answer(self.bob, "alice") is None

    def test_bounded(self) -> None:
        for _ in range(requests.MOST_WAITING):
            assert self.requests.add(self.alice, self.bob)
        assert not self.requests.add(self.alice, self.bob)
        assert self.requests.add(self.carol, self.bob)
