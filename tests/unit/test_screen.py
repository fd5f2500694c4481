"""What the harness reads from a screen: whether an answer says more than another one did."""

from __future__ import annotations

import pytest

from tests.harness.screen import has_date_or_time, looks_like_a_prompt, says_anything_new

SUCCESS = "alice> bob accepted file transfer.\nSending a.bin: 100 %\nbob has received a.bin.\n"


@pytest.mark.parametrize(
    "text",
    [
        "bob has received b.bin.\n",
        "Sending b.bin: 37 %\nbob has received b.bin.\n",
        "\n  \n42 %\n",
        "",
    ],
)
def test_the_words_of_a_success_are_nothing_new(text: str) -> None:
    """Other names, numbers and blanks do not make another message of it."""
    assert not says_anything_new(text, SUCCESS, "a.bin", "b.bin", "bob")


@pytest.mark.parametrize("text", ["Transfer failed.\n", "Sending b.bin: 37 %\nlost bob\n"])
def test_one_other_line_is_something_new(text: str) -> None:
    """A line that no success brings may tell of a failure."""
    assert says_anything_new(text, SUCCESS, "a.bin", "b.bin", "bob")


@pytest.mark.parametrize(
    "text",
    [
        "since 2014/09/29@19:23 with",
        "Fri Nov 20 09:37:42 2026",
        "20/11/2026 09:36:14",
        "le 26 novembre 2026",
        "1er mai",
        "Nov 26 2026",
        "9:5:3",
        "at 09h36",
        "2026-11-20T09:36",
    ],
)
def test_dates_and_times_in_any_usual_format(text: str) -> None:
    """Course programs print what strftime(3), ctime(3) or their own printf(3) give them."""
    assert has_date_or_time(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:52322", "[::1]:52322", "bob, 127.0.0.1, port 8080", ""]
)
def test_an_address_is_no_time(text: str) -> None:
    """Address and port alone say nothing of when."""
    assert not has_date_or_time(text)


@pytest.mark.parametrize("line", ["> ", "alice> ", "Message : ", "alice@red $ ", "(alice) ", "[x]"])
def test_a_line_that_asks_for_input_is_a_prompt(line: str) -> None:
    assert looks_like_a_prompt(line)


@pytest.mark.parametrize("line", ["  - alice", "[Server] : no channel yet", "Hello bob !", "bob."])
def test_a_message_without_its_newline_is_no_prompt(line: str) -> None:
    assert not looks_like_a_prompt(line)
