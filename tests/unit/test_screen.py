"""What the harness reads from a screen: whether an answer says more than another one did."""

from __future__ import annotations

import pytest

from tests.harness.screen import says_anything_new

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
