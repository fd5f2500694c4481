"""Finding, copying and building what somebody hands in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from grading.submission import SubmissionError, command, prepare

needs_make = pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize(
    "folder", [".", "milestone2_users", "m2", "jalon2", "src/milestone2", "travail/jalon2", "src"]
)
def test_programs_are_found(tmp_path: Path, folder: str) -> None:
    for name in ("server", "client"):
        program(tmp_path / "mine" / folder / name)
    found = prepare(tmp_path / "mine", [2], tmp_path / "work")
    assert found.servers[2] == ["./server", "{port}"]
    assert found.clients[2] == ["./client", "{host}", "{port}"]
    assert (Path(found.source) / found.folders[2] / "server").exists()


def test_python_programs_are_found(tmp_path: Path) -> None:
    program(tmp_path / "mine" / "server.py", "print()\n")
    found = prepare(tmp_path / "mine", [1], tmp_path / "work")
    assert found.servers[1] == [sys.executable, "server.py", "{port}"]
    assert found.clients[1] == []


def test_one_program_at_the_top_serves_milestones_2_to_4(tmp_path: Path) -> None:
    for name in ("server", "client"):
        program(tmp_path / "mine" / name)
    found = prepare(tmp_path / "mine", [2, 3, 4], tmp_path / "work")
    assert set(found.servers) == {2, 3, 4}
    assert all(found.servers.values())


def test_a_folder_of_another_milestone_is_not_taken(tmp_path: Path) -> None:
    program(tmp_path / "mine" / "milestone1" / "server")
    assert prepare(tmp_path / "mine", [2], tmp_path / "work").servers[2] == []


def test_the_program_of_a_later_milestone_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    program(tmp_path / "mine" / "jalon4" / "src" / "server")
    found = prepare(tmp_path / "mine", [1, 2, 3], tmp_path / "work")
    assert [found.folders[number] for number in (1, 2, 3)] == [".", "jalon4/src", "jalon4/src"]
    assert [bool(found.servers[number]) for number in (1, 2, 3)] == [False, True, True]


def test_one_folder_around_everything_is_looked_into(tmp_path: Path) -> None:
    for name in ("milestone2/server", "milestone3/server", "README.md"):
        program(tmp_path / "mine" / "chat-of-alice" / name)
    program(tmp_path / "mine" / "readme.txt")
    found = prepare(tmp_path / "mine", [2, 3, 4], tmp_path / "work")
    assert found.folders[2] == "chat-of-alice/milestone2"
    assert found.folders[3] == "chat-of-alice/milestone3"
    assert found.servers[4] == []


@needs_make
def test_server_and_client_are_built_where_they_stand_and_each_for_itself(tmp_path: Path) -> None:
    for name in ("server", "client"):
        program(tmp_path / "mine" / name / "Makefile", f"{name}:\n\techo '#!/bin/sh' > {name}\n")
    found = prepare(tmp_path / "mine", [2], tmp_path / "work")
    assert (found.servers[2], found.clients[2]) == (
        ["./server/server", "{port}"],
        ["./client/client", "{host}", "{port}"],
    )
    recipe = "all: server client\nserver:\n\tfalse\nclient:\n\techo '#!/bin/sh' > client\n"
    program(tmp_path / "other" / "Makefile", recipe)
    found = prepare(tmp_path / "other", [2], tmp_path / "again")
    assert (found.servers[2], found.clients[2]) == ([], ["./client", "{host}", "{port}"])
    assert "failed" in found.build_log


@needs_make
def test_a_makefile_is_used_and_a_binary_that_came_with_it_is_not(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    program(mine / "server", "\x7fELF: a binary of unknown origin")
    program(mine / "new.sh")
    (mine / "Makefile").write_text("all:\n\tcp new.sh server\n\tcp new.sh client\nclean:\n\ttrue\n")
    found = prepare(mine, [2], tmp_path / "work")
    assert (Path(found.source) / "server").read_text() == "#!/bin/sh\n"
    assert (mine / "server").read_text().startswith("\x7fELF")  # the student's own is untouched
    assert found.build_log == ""


@needs_make
def test_sources_that_a_makefile_around_them_has_built_are_not_built_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    program(mine / "Makefile", "all:\n\tcp src/new.sh server\n\tcp src/new.sh client\n")
    program(mine / "src" / "new.sh")
    for name in ("server.c", "client.c"):
        program(mine / "src" / name, "int main(void) { return defined_elsewhere(); }\n")
    found = prepare(mine, [2], tmp_path / "work")
    assert found.servers[2] == ["./server", "{port}"]
    assert found.build_log == ""


@needs_make
def test_a_build_that_fails_is_told(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "Makefile").write_text("all:\n\t@echo something is missing; false\n")
    found = prepare(mine, [2], tmp_path / "work")
    assert "something is missing" in found.build_log
    assert found.servers[2] == []


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no such directory"):
        prepare(tmp_path / "nobody", [2], tmp_path / "work")


def test_commands_are_taken_from_the_callers_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "server")
    monkeypatch.chdir(tmp_path)
    assert command("./server {port}", "server") == [str(tmp_path / "server"), "{port}"]
    assert command("./server", "server") == [str(tmp_path / "server"), "{port}"]
    with pytest.raises(SubmissionError, match="no such program"):
        command("./nobody {port}", "server")
    with pytest.raises(SubmissionError):
        command("'", "server")
