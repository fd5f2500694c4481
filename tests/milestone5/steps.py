"""Steps that several checks of milestone 5 take."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.harness import screen
from tests.harness.actor import Actor
from tests.harness.chat import Chat
from tests.harness.failures import Missing, NotReady
from tests.harness.json_wire import JSONUser
from tests.harness.prompted import Prompted
from tests.harness.proxy import Relay


def log_in(actor: Actor, name: str, password: str) -> None:
    """Log in under any name with any password."""
    assert isinstance(actor, (Prompted, JSONUser))
    actor.logs_in(name, password)


def is_known(asker: Actor, user: Actor, name: str = "") -> bool:
    """The user can be reached under the name, or is listed: one of the two will do, for each has
    a requirement of its own."""
    name = name or user.name
    text = asker.play.token()
    asker.tells(name, text)
    if asker.play.wait_for(lambda: text in user.text(), seconds=1):
        return True
    asker.types("WHO")
    return asker.play.wait_for(lambda: screen.has_word(asker.since(), name), seconds=1)


def takes_part(asker: Actor, user: Actor) -> None:
    """Both are logged in, so that what they see means something. Raises NotReady."""
    if not is_known(asker, user):
        raise NotReady(
            ("5.2",), f"{asker.name} and {user.name} are logged in", asker.play.what_ended()
        )


def reaches(speaker: Actor, listener: Actor, filler: str = "", promised_by: str = "5.5") -> None:
    """A PM of one (a word and `filler`) comes to the other, so that one that does not means
    something. Raises NotReady."""
    text = speaker.play.token() + filler
    speaker.types(f"PM\n{text}")
    if not speaker.play.wait_for(lambda: text in listener.text()):
        raise NotReady(
            (promised_by,),
            f"a PM of {len(text)} plain letters from {speaker.name} reaches {listener.name}",
            speaker.play.what_ended(),
        )


def departs(user: Actor) -> None:
    """Leave with EX or, where that does not work, by force: EX has requirement 5.9."""
    user.leaves()
    if user.connected:
        user.vanishes()


def goes(user: Actor, seen_by: Actor) -> bool:
    """The user leaves for good; True when WHO no longer lists them. Raises NotReady when neither
    WHO nor a new list shows it: then the name is still taken, and nothing can rest on its being
    free."""
    departs(user)
    news = seen_by.since()
    seen_by.types("WHO")
    if not screen.has_word(seen_by.answer(), user.name):
        return True
    if screen.has_word(news, user.name) or not screen.has_word(news, seen_by.name):
        raise NotReady(("5.4",), f"{user.name} is off the list after leaving", "")
    return False


def is_shown_list(actor: Actor, *names: str, without: str) -> bool:
    """What the last deed brought holds a list of these names in which `without` is not.

    "bob has left" may stand before or behind it, so the text is cut where the name stands; a list
    that still holds bob falls apart, since bob is neither the first nor the last of them.
    """

    def shown() -> bool:
        parts = re.split(rf"(?<![^\W_]){re.escape(without)}(?![^\W_])", actor.since())
        return any(all(screen.has_word(part, name) for name in names) for part in parts)

    return actor.play.wait_for(shown)


def gets_list(actor: Actor, *names: str, without: str) -> None:
    """The last deed brings that list. Raises Missing."""
    expected = f"{actor.name} is shown a list with {', '.join(names)} and without {without}"
    actor.play.expect(expected)
    if not is_shown_list(actor, *names, without=without):
        came = " ".join(actor.since().split())
        raise Missing(expected, f"What came: `{came[:300]}`. {actor.play.what_ended()}".strip())


def overheard(chat: Chat, name: str) -> tuple[Actor, Callable[[], int]]:
    """A user, and a function that counts the bytes that the server has sent to them, whatever
    their client makes of these. Raises Waived."""
    if chat.stage == "wire":
        user = chat.user(name)
        assert isinstance(user, JSONUser)
        wire = user.wire
        return user, lambda: wire.received.total
    user, proxy = chat.user_behind_proxy(name)
    return user, lambda: sum(relay.server.received.total for relay in proxy.relays)


def recorded(chat: Chat, name: str) -> tuple[Actor, Relay]:
    """A user at a terminal, and the relay that keeps what their client sends. Raises Waived."""
    user, proxy = chat.user_behind_proxy(name)
    return user, proxy.relays[-1]
