"""What the Tab key offers, and what a mistyped command may have meant.

A usage such as `/send <user> <path>` says all that is needed: the first word is one of the
commands, the second a user, the third a path. Nobody is asked: only what was seen is offered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping


def completions(
    start: str, usages: Collection[str], seen: Mapping[str, Collection[str]]
) -> list[str]:
    """Return all that the beginning of a line may become, as far as its last word goes.

    `seen` has the words for each kind of place: `user` for `<user>` and `[user]`. In free text,
    which is what has no kind of its own there, users can be named too.
    """
    commands = {usage.split()[0]: usage.split()[1:] for usage in usages}
    command, blank, _ = start.partition(" ")
    found = [] if blank else [f"{word} " for word in commands if word.startswith(start)]
    if found or (start.startswith("/") and not blank):
        return found
    places = commands.get(command, [])
    kind = place_at(start, places)
    if kind == "path":
        others = re.match(r"\S+\s+" * len(places), start)
        return paths(others[0], start[others.end() :]) if others else []
    head, last = start[: start.rfind(" ") + 1], start[start.rfind(" ") + 1 :]
    if kind not in seen:
        if not last:
            return []
        kind = "user"
    return [f"{head}{word} " for word in seen.get(kind, ()) if word.startswith(last)]


def place_at(start: str, places: list[str]) -> str:
    """Return the kind of the word at the end of `start`; the last place takes all that follows."""
    if not places:
        return ""
    number = len(start.split()) - (not start.endswith(" ")) - 1
    return places[min(number, len(places) - 1)].strip("<>[]")


def paths(head: str, start: str) -> list[str]:
    """Return `head` with each path that begins with `start`; a folder ends with its slash."""
    folder, name = os.path.split(start)
    try:
        entries = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda each: each.name)
    except OSError:
        return []
    return [
        head + os.path.join(folder, entry.name) + ("/" if entry.is_dir() else "")
        for entry in entries
        if entry.name.startswith(name) and (name or not entry.name.startswith("."))
    ]


def guess(word: str, words: Iterable[str]) -> str:
    """Return ` Did you mean ...?` if `word` is nearly one of `words`, else nothing."""
    import difflib  # only now: few users mistype, and every client starts

    near = difflib.get_close_matches(word, list(words), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
