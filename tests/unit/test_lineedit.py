"""The line editor alone: keys in, and the screen that comes of them."""

from __future__ import annotations

import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.completion import completions, guess
from common.lineedit import LineEditor, text_width, visible


def typed(editor: LineEditor, keys: str) -> list[str]:
    """Press keys; return the lines that they finish."""
    editor.receive_keys(keys.encode("utf-8", "surrogateescape"))
    return list(iter(editor.next_line, None))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("abc\x1b[D\x1b[DX", "aXbc"),
        ("abc\x1b[D\x1b[D\x1b[CX", "abXc"),
        ("abc\x02\x02\x06X", "abXc"),
        ("abc\x1b[HX", "Xabc"),
        ("abc\x1bOHX\x1bOFY", "XabcY"),
        ("abc\x01X\x05Y", "XabcY"),
        ("abc\x1b[1~X\x1b[4~Y", "XabcY"),
        ("abc\x7f", "ab"),
        ("abc\x08", "ab"),
        ("\x7fabc\x1b[3~", "abc"),
        ("abc\x1b[H\x1b[3~", "bc"),
        ("abc\x1b[H\x04", "bc"),
        ("abc\x1b[D\x0b", "ab"),
        ("abc\x1b[D\x15", "c"),
        ("one two  \x17", "one "),
        ("one two\x17\x17\x17x", "x"),
        ("one two\x17\x19\x19", "one twotwo"),
        ("one two\x1bbX", "one Xtwo"),
        ("one two\x01\x1bfX", "one Xtwo"),
        ("one two\x1b[1;5D\x1b[1;5DX", "Xone two"),
        ("é日🙂\x7f", "é日"),
        ("e\u0301x\x1b[D\x7f", "x"),
        ("e\u0301\x01\x1b[3~x", "x"),
        ("a\x1b[5~b\x1b[15;2~c\x1b[[Ad\x1bOPe", "abcde"),  # keys that mean nothing here
        ("a\x1b\x1b[Db", "ba"),
        ("a\x1bxb", "axb"),
        ("a\x00\x1cb", "ab"),
        ("\udcffa", "\udcffa"),
        ("", ""),
    ],
)
def test_editing(keys: str, line: str) -> None:
    assert typed(LineEditor(), keys + "\r") == [line]


def test_keys_may_come_in_any_pieces() -> None:
    editor = LineEditor()
    lines = []
    for byte in "é日x\x1b[D\x1b[3~!\x1bOD?\r".encode():
        editor.receive_keys(bytes([byte]))
        lines += list(iter(editor.next_line, None))
    assert lines == ["é日?!"]


def test_history() -> None:
    editor = LineEditor()
    assert typed(editor, "one\rtwo\rtwo\r\r") == ["one", "two", "two", ""]
    assert typed(editor, "\x1b[A\x1b[A\x1b[A!\r") == ["one!"]
    assert typed(editor, "dra\x1b[A\x1b[A\x1b[B\x1b[B\x1b[Bft\r") == ["draft"]
    assert typed(editor, "\x10\x10\x0e\r") == ["draft"]


def test_end_is_ctrl_d_on_an_empty_line() -> None:
    editor = LineEditor()
    assert typed(editor, "a\x04\rb") == ["a"] and not editor.at_end
    assert typed(editor, "\x15\x04lost\r") == [] and editor.at_end


def test_hidden_line_is_neither_shown_nor_remembered() -> None:
    editor = LineEditor(lambda start: [start + "completed"])
    editor.set_prompt("Password: ")
    editor.hidden = True
    assert typed(editor, "secret\t") == []
    assert "secret" not in editor.screen_text(80)
    assert typed(editor, "\r") == ["secret"]
    assert "secret" not in editor.screen_text(80)
    editor.hidden = False
    assert typed(editor, "\x1b[A\r") == [""]


class Model:
    """A terminal, and what must be on it."""

    def __init__(self, columns: int) -> None:
        self.screen = pyte.Screen(columns, 10)
        self.screen.set_mode(pyte.modes.LNM)  # as the kernel does: a newline also returns
        self.stream = pyte.Stream(self.screen)
        self.editor = LineEditor()
        self.editor.set_prompt("> ")

    def draw(self) -> None:
        self.stream.feed(self.editor.screen_text(self.screen.columns))

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display[: self.screen.cursor.y + 1]]


@given(
    st.integers(12, 60),
    st.lists(
        st.one_of(
            st.text("ab 日é🙂\u0301", max_size=40),
            st.sampled_from(["\x1b[D", "\x1b[C", "\x7f", "\x01", "\x05", "\x17", "\r", "message"]),
        ),
        max_size=30,
    ),
)
def test_whatever_is_typed_the_last_message_stands_above_the_line(
    columns: int, steps: list[str]
) -> None:
    model = Model(columns)
    for number, step in enumerate(steps):
        if step == "message":
            model.editor.show_above(f"m{number}")
        else:
            typed(model.editor, step)
        model.draw()
        assert model.rows[-1].startswith(">"), model.rows
        assert text_width(model.rows[-1]) < columns
        if step == "message":
            assert model.rows[-2] == f"m{number}"
    typed(model.editor, "\x05|")
    model.draw()
    assert model.rows[-1].endswith("|"), "the end of the line is in sight"
    assert model.screen.cursor.x == text_width(model.rows[-1])


def test_status_above_the_prompt_comes_and_goes() -> None:
    model = Model(30)
    typed(model.editor, "typed")
    model.editor.set_status("50 %\n" + "x" * 99)
    model.draw()
    assert model.rows == ["50 %", "x" * 27 + ">", "> typed"]
    model.editor.show_above("message")
    model.draw()
    assert model.rows == ["message", "50 %", "x" * 27 + ">", "> typed"]
    model.editor.set_status("")
    model.draw()
    assert model.rows == ["message", "> typed"]
    assert model.editor.screen_text(30) == "", "nothing new, nothing drawn"


@pytest.mark.parametrize(
    ("column", "erased"),
    [(21, "\r\x1b[1A\x1b[J"), (40, "\r\x1b[J")],  # the row was wrapped; it was cut
)
def test_narrower_window_wraps_or_cuts(column: int, erased: str) -> None:
    editor = LineEditor()
    editor.set_prompt("> ")
    typed(editor, "x" * 58)
    editor.screen_text(80)
    narrow = editor.screen_text(40)
    assert narrow.startswith("\x1b[6n\r\x1b[J> <"), "asked before anything moves"
    assert typed(editor, f"\x1b[7;{column}R") == []
    again = editor.screen_text(40)
    assert again.startswith(erased + "> <") and "R" not in again
    assert editor.screen_text(40) == ""


def test_answer_that_comes_too_late_changes_nothing() -> None:
    editor = LineEditor()
    editor.set_prompt("> ")
    typed(editor, "x" * 58)
    editor.screen_text(80)
    editor.screen_text(40)
    editor.show_above("message")
    editor.screen_text(40)
    typed(editor, "\x1b[7;21R")
    assert editor.screen_text(40).startswith("\r\x1b[J> <")


def test_nothing_typed_or_offered_is_obeyed_by_the_terminal() -> None:
    editor = LineEditor(lambda start: [start + "\x1b[2Ja", start + "\x1b[2Jb"])
    editor.set_prompt("\x1b[2J> ")
    typed(editor, "x\x85\t\t")
    assert "\x1b[2J" not in editor.screen_text(80) and "\x85" not in editor.screen_text(70)


@pytest.mark.parametrize(
    ("text", "cursor", "room", "shown"),
    [
        ("abcdefghij", 10, 10, ("abcdefghij", 10)),
        ("abcdefghij", 0, 8, ("abcdef>", 0)),
        ("abcdefghij", 6, 8, ("abcdef>", 6)),
        ("abcdefghij", 7, 8, ("<defghi>", 5)),
        ("abcdefghij", 10, 8, ("<ghij", 5)),
        ("日本語日本", 5, 8, ("<日本", 5)),
    ],
)
def test_visible(text: str, cursor: int, room: int, shown: tuple[str, int]) -> None:
    assert visible(list(text), cursor, room) == shown


USAGES = ["/msg <user> <text>", "/msgall <text>", "/join <room>", "/quit [room]", "/who"]
SEEN = {"user": ["bob", "bill"], "room": ["tea"]}


@pytest.mark.parametrize(
    ("start", "offered"),
    [
        ("/m", ["/msg ", "/msgall "]),
        ("/x", []),
        ("/msg b", ["/msg bob ", "/msg bill "]),
        ("/msg ", ["/msg bob ", "/msg bill "]),
        ("/msg bob ask bi", ["/msg bob ask bill "]),
        ("/msg bob ", []),
        ("/join ", ["/join tea "]),
        ("/quit t", ["/quit tea "]),
        ("/who bo", ["/who bob "]),
        ("ask bo", ["ask bob "]),
        ("ask ", []),
    ],
)
def test_completions(start: str, offered: list[str]) -> None:
    assert completions(start, USAGES, SEEN) == offered


def test_guess() -> None:
    assert guess("/mgs", ["/msg", "/who"]) == " (did you mean /msg?)"
    assert guess("/xyzzy", ["/msg", "/who"]) == ""


@given(
    st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([b"\x1b[", b"\x1bO", b"\x1b[1;"])))
)
def test_no_bytes_upset_the_editor_or_reach_the_terminal(pieces: list[bytes]) -> None:
    ours = re.compile(r"\x1b\[(\d*[AC]|J|H|6n)|[\r\n]")
    editor = LineEditor(lambda start: [start + "a", start + "b"])
    editor.set_prompt("> ")
    for piece in pieces:
        editor.receive_keys(piece)
        for line in iter(editor.next_line, None):
            assert "\n" not in line and "\r" not in line
        shown = ours.sub("", editor.screen_text(40))
        assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", shown), repr(shown)
