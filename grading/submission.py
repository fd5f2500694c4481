"""Find, copy and build a submission.

Always a copy: the student's directory is only read. A Makefile's `clean` runs first and programs
that came compiled are removed where a Makefile can make them, so that what is graded is what the
sources say.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_BUILT = ".milestone-chat-built"
BUILD_SECONDS = 120
OUTPUT_LIMIT = 20_000
_SUFFIXES = ("", ".py", ".sh", ".exe", ".out")
_IGNORED = shutil.ignore_patterns(
    ".git", ".venv", "venv", "__pycache__", "node_modules", "*.o", ".idea", ".vscode"
)
_CODE = ("server", "client", "makefile", "gnumakefile", "cmakelists.txt")
_MAKEFILES = ("Makefile", "makefile", "GNUmakefile")
_INSIDE = ("", "src", "travail", "work", "code", "rendu", "bin", "build")


class SubmissionError(Exception):
    """The submission cannot be used as it was named: one line for whoever called."""


@dataclass
class Submission:
    """Where the copy lies and how its programs are started."""

    source: str = ""
    """The built copy, or empty when the commands were given without a directory."""
    folders: dict[int, str] = field(default_factory=dict)
    servers: dict[int, list[str]] = field(default_factory=dict)
    clients: dict[int, list[str]] = field(default_factory=dict)
    build_log: str = ""
    """What failed in the build; empty when it went well."""


def prepare(directory: Path, milestones: list[int], into: Path) -> Submission:
    """Copy, build, and find server and client for each milestone. Raises SubmissionError."""
    if not directory.is_dir():
        raise SubmissionError(f"{directory}: no such directory; give the folder of the submission")
    copy = into / "submission"
    shutil.copytree(directory, copy, symlinks=True, ignore=_IGNORED, dirs_exist_ok=False)
    for path in [copy, *copy.rglob("*")]:
        if not path.is_symlink():
            with contextlib.suppress(OSError):
                path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))
    remove_binaries(copy)
    submission = Submission(source=str(copy))
    for milestone in milestones:
        folders = candidates(copy, milestone)
        log = "".join(
            build(folder)
            for folder in _to_build(copy, folders)
            if _says_how(folder) or not made_further_out(folder)
        )
        found = False
        for folder in folders:
            server, client = find(folder, "server"), find(folder, "client")
            if server or client:
                submission.folders[milestone] = str(folder.relative_to(copy))
                submission.servers[milestone] = server
                submission.clients[milestone] = client
                found = True
                break
        if not found:
            submission.folders[milestone] = "."
            submission.servers[milestone] = submission.clients[milestone] = []
        submission.build_log += log
    return submission


def made_further_out(folder: Path) -> bool:
    """True for the sources of a server and a client that the Makefile of the directory around
    them has made: alone they say nothing of the other files that they need."""
    around = folder.parent
    places = [place for inside in _INSIDE if (place := around / inside).is_dir()]
    return _says_how(around) and all(
        any(find(place, name) for place in places) for name in ("server", "client")
    )


def candidates(copy: Path, milestone: int) -> list[Path]:
    """Directories in which the programs of this milestone may stand, the likeliest first. Who has
    only a folder for a later one of milestones 2 to 4 has built it upon this one."""
    copy = unwrapped(copy)
    own = folders_of(copy, milestone)
    bases = own + ([copy] if milestone != 5 or not own else [])
    if 2 <= milestone <= 4:
        bases += [base for later in range(milestone + 1, 5) for base in folders_of(copy, later)]
    return [
        folder
        for base in bases
        for inside in _INSIDE
        if (folder := base / inside if inside else base).is_dir()
    ]


def unwrapped(copy: Path) -> Path:
    """The directory itself or, where it holds one other and no code, as what is unpacked from an
    archive often does, that one; but for the folder of a milestone."""
    inside = [path for path in copy.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    folders = [path for path in inside if path.is_dir()]
    if len(folders) != 1 or any(map(_is_code, inside)) or _named("[1-5]").match(folders[0].name):
        return copy
    return unwrapped(folders[0])


def _is_code(path: Path) -> bool:
    name = path.name.lower()
    return path.is_file() and (name.endswith((".c", ".h", ".py", ".sh")) or name in _CODE)


def _named(number: str) -> re.Pattern[str]:
    """What folders of a milestone are called; `number` is a pattern, too."""
    return re.compile(
        rf"(milestone|jalon|step|etape|part|m|j|sample[-_ ]?jalon)[-_ ]?0*{number}(\D.*)?$", re.I
    )


def folders_of(copy: Path, milestone: int) -> list[Path]:
    """The directories that are named for this milestone, the outermost first."""
    name = _named(str(milestone))
    found = (
        path
        for path in copy.rglob("*")
        if path.is_dir() and name.match(path.name) and len(path.relative_to(copy).parts) <= 3
    )
    return sorted(found, key=lambda path: (len(path.parts), path.name))


def _to_build(copy: Path, folders: list[Path]) -> list[Path]:
    """The directories that say how to build something, the outermost first, each of them once."""
    wanted: list[Path] = []
    parts = [folder / name for folder in folders for name in ("server", "client")]
    for folder in [copy, *folders, *parts]:
        if folder not in wanted and not (folder / _BUILT).exists() and _recipe(folder):
            wanted.append(folder)
    return wanted


def _says_how(folder: Path) -> bool:
    """True when there is a Makefile, or a file for CMake."""
    return any((folder / name).is_file() for name in (*_MAKEFILES, "CMakeLists.txt"))


def _recipe(folder: Path) -> list[list[str]]:
    """The commands that build this directory; none where there is nothing to build."""
    if any((folder / name).is_file() for name in _MAKEFILES):
        return [["make", "clean"], ["make", "--keep-going"]]
    if (folder / "CMakeLists.txt").is_file() and shutil.which("cmake"):
        return [["cmake", "."], ["make"]]
    sources = [name for name in ("server", "client") if (folder / f"{name}.c").is_file()]
    return [["make", "--keep-going", *sources]] if sources else []


def build(folder: Path) -> str:
    """`make clean; make`, under limits. Returns what was printed if it failed, else nothing."""
    (folder / _BUILT).touch()
    status, output = 0, ""
    for line in _recipe(folder):
        status, output = run_limited(line, folder)
    return "" if status == 0 else f"`make` in {folder.name} failed ({status}):\n{output}\n"


def remove_binaries(copy: Path) -> None:
    """Remove compiled programs that came with the submission: they are never trusted."""
    for path in copy.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    path.unlink()


def run_limited(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a build command with bounded time, memory, file size and output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAKE", "MFLAGS"))}
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_limits,
        )
    except OSError as error:
        return 127, f"{command[0]}: {error}"
    try:
        output, _ = process.communicate(timeout=BUILD_SECONDS)
        status = process.returncode
    except subprocess.TimeoutExpired:
        status, output = 124, f"not finished after {BUILD_SECONDS} s".encode()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return status, output.decode("utf-8", "replace")[-OUTPUT_LIMIT:]


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (BUILD_SECONDS, BUILD_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))


def find(folder: Path, what: str) -> list[str]:
    """The command that starts `server` or `client` in this folder, with its arguments; else []."""
    arguments = ["{port}"] if what == "server" else ["{host}", "{port}"]
    places = [folder, *(path for path in sorted(folder.iterdir()) if path.name.lower() == what)]
    for place in filter(Path.is_dir, places):
        for suffix in _SUFFIXES:
            for path in sorted(place.iterdir()):
                if path.name.lower() == what + suffix and path.is_file():
                    return [*_start(path, str(path.relative_to(folder))), *arguments]
    return []


def _start(path: Path, name: str) -> list[str]:
    if path.suffix == ".py":
        return [sys.executable, name]
    if path.suffix == ".sh":
        return ["sh", name]
    with contextlib.suppress(OSError):
        path.chmod(path.stat().st_mode | 0o100)
    return [f"./{name}"]


def command(line: str, what: str) -> list[str]:
    """A command from the command line: `{port}` is added where it is missing, and relative paths
    are taken from the caller's directory. Raises SubmissionError."""
    try:
        parts = shlex.split(line)
    except ValueError as error:
        raise SubmissionError(f"--{what} {line!r}: {error}") from None
    if not parts:
        raise SubmissionError(f"--{what} is empty; give a command such as './{what} {{port}}'")
    if not any("{port}" in part for part in parts):
        parts += ["{port}"] if what == "server" else ["{host}", "{port}"]
    found = shutil.which(parts[0])
    if found is None:
        raise SubmissionError(f"--{what}: {parts[0]}: no such program; build it first")
    parts[0] = os.path.abspath(found)
    return [os.path.abspath(p) if i and Path(p).is_file() else p for i, p in enumerate(parts)]
