"""What the harness reads of the operating system."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.harness import kernel

pytestmark = pytest.mark.skipif(not kernel.LINUX, reason="there is no /proc here")

# Starts a child in a session of its own, which starts a grandchild; prints both pids, and waits.
PARENT = """
import subprocess, sys
CHILD = '''
import subprocess, sys
grandchild = subprocess.Popen(["cat"])
print(grandchild.pid, flush=True)
sys.stdin.read()
grandchild.kill()
'''
child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def three_generations() -> Iterator[list[int]]:
    """The pids of a program, its child and its grandchild."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        yield [parent.pid, int(parent.stdout.readline()), int(parent.stdout.readline())]
        parent.stdin.close()


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "searched for"])
def test_a_family_is_all_descendants_in_whatever_session(
    three_generations: list[int], monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    """With the kernel's lists of children, and on a kernel that has none."""
    if listed and not kernel._CHILDREN_ARE_LISTED:
        pytest.skip("this kernel lists no children")
    monkeypatch.setattr(kernel, "_CHILDREN_ARE_LISTED", listed)
    parent, child, grandchild = three_generations
    assert kernel.family([parent]) == {parent, child, grandchild}
    assert kernel.family([child]) == {child, grandchild}
    assert kernel.family([]) == set()


def test_who_has_ended_has_no_family() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert kernel.family([gone.pid]) == set()
