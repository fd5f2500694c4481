"""Every report says the same, is what its consumer expects, and is there whatever happens."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner
from rich.console import Console

from grading import cli, html, markdown, reports, run, terminal
from grading.model import Result

from . import report_models as models

SCHEMAS = Path(reports.__file__).with_name("schemas")
RESULTS = {
    "full": models.full,
    "failing": models.failing,
    "hostile": models.hostile,
    "crashed": models.crashed,
}
WRONG_SERVER = f"{run.ROOT}/tests/mutants/run.py 2/whispers-to-everybody server"
Rows = dict[str, tuple[str, int, int]]
"""Id -> outcome, points, most points."""


@pytest.fixture(params=RESULTS)
def result(request: pytest.FixtureRequest) -> Result:
    """A result of each kind."""
    return RESULTS[request.param]()


def schema(name: str) -> dict[str, Any]:
    """One of our schemas."""
    return dict(json.loads((SCHEMAS / f"{name}.json").read_text()))


def valid(content: Any, name: str) -> None:
    """Raises jsonschema.ValidationError where `content` does not follow the schema."""
    jsonschema.Draft202012Validator.check_schema(schema(name))
    jsonschema.validate(content, schema(name))


def written(result: Result, name: str, tmp_path: Path) -> str:
    """What the report of this format holds."""
    path = tmp_path / name
    reports.FORMATS[name][0](result, path)
    return path.read_text(encoding="utf-8")


# -- what each view says ----------------------------------------------------------------------


def split(points: str) -> tuple[int, int]:
    """`3/4` and `3/4 bonus`."""
    got, _, most = points.split()[0].partition("/")
    return int(got), int(most)


def of_json(text: str) -> tuple[Rows, int]:
    raw = json.loads(text)
    rows = {r["id"]: (r["outcome"], r["points"], r["max_points"]) for r in raw["requirements"]}
    return rows, raw["points"] + raw["bonus"]


def of_junit(text: str) -> tuple[Rows, int]:
    rows: Rows = {}
    root = ElementTree.fromstring(text)
    for case in root.iter("testcase"):
        outcome = "passed"
        for child in case:
            if child.tag in ("failure", "error"):
                outcome = child.get("type") or ""
            elif child.tag == "skipped":
                outcome = (child.get("message") or "").partition(":")[0]
        said = (case.findtext("system-out") or "").splitlines()[0].removeprefix("points ")
        rows[str(case.get("name")).split()[0]] = (outcome, *split(said))
    return rows, sum(points for _, points, _ in rows.values())


def of_markdown(text: str) -> tuple[Rows, int]:
    rows: Rows = {}
    for line in re.findall(r"^\| [1-5]\..*$", text, re.MULTILINE):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        outcome = cells[2].split()[1].rstrip(",")
        rows[cells[0]] = (outcome, *split(cells[3]))
    total = re.match(r"## Points: (\d+) of \d+(?: \+ (\d+) bonus)?", text)
    assert total
    return rows, int(total[1]) + int(total[2] or 0)


class Page(HTMLParser):
    """The cells of the page's tables of requirements, its title, and which elements it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: list[str] = []
        self.heading = ""
        self._into: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self._into.append(tag)
        elif tag == "h1":
            self._into.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._into and tag == self._into[-1]:
            self._into.pop()

    def handle_data(self, data: str) -> None:
        if self._into and self._into[-1] == "h1":
            self.heading += data
        elif self._into:
            self.rows[-1][-1] += data


def of_html(text: str) -> tuple[Rows, int]:
    page = Page(text)
    rows: Rows = {}
    for cells in page.rows:
        if len(cells) == 5 and re.match(r"[1-5]\.", cells[0]):
            rows[cells[0]] = (cells[2].split()[1], *split(cells[3]))
    return rows, sum(int(n) for n in re.findall(r"(\d+)(?: of| bonus)", page.heading))


def of_gradescope(text: str) -> tuple[Rows, int]:
    raw = json.loads(text)
    rows: Rows = {}
    for test in raw["tests"]:
        more = test["extra_data"]
        assert test["score"] == more["points"]
        assert test["max_score"] in (more["max_points"], 0)
        if "status" in test:
            assert (test["status"] == "passed") == (more["outcome"] == "passed")
        rows[test["number"]] = (more["outcome"], test["score"], more["max_points"])
    return rows, raw["score"]


def of_classroom50(text: str) -> tuple[Rows, int]:
    raw = json.loads(text)
    rows: Rows = {}
    for test in raw["tests"]:
        most = test["max-score"]
        rows[test["test-name"].split()[0]] = (test["outcome"], test["score"], most)
    return rows, raw["score"]


def of_terminal(text: str) -> tuple[Rows, int]:
    rows: Rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
        if len(cells) == 5 and re.match(r"[1-5]\.", cells[0]):
            rows[cells[0]] = (cells[2].split()[0], *split(cells[3]))
    total = re.search(r"^Points: (\d+)/\d+(?: \+ (\d+) bonus)?", text, re.MULTILINE)
    assert total
    return rows, int(total[1]) + int(total[2] or 0)


VIEWS: dict[str, Callable[[str], tuple[Rows, int]]] = {
    "json": of_json,
    "junit": of_junit,
    "html": of_html,
    "markdown": of_markdown,
    "gradescope": of_gradescope,
    "classroom50": of_classroom50,
}


def test_every_format_is_compared() -> None:
    """Each but the capture, which holds bytes and no grade."""
    assert {*VIEWS, "pcap"} == set(reports.FORMATS)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_agrees_with_the_model(view: str, result: Result, tmp_path: Path) -> None:
    rows, total = VIEWS[view](written(result, view, tmp_path))
    expected = {r.id: (r.outcome, r.points, r.max_points) for r in result.requirements}
    if view == "classroom50":  # what was waived cannot be had there
        expected = {k: (o, p, 0 if o == "waived" else m) for k, (o, p, m) in expected.items()}
    assert rows == expected
    assert total == result.points + result.bonus


def test_the_terminal_agrees_with_the_model(result: Result) -> None:
    out = io.StringIO()
    terminal.show(result, Console(file=out, width=200, highlight=False))
    rows, total = of_terminal(out.getvalue())
    assert rows == {r.id: (r.outcome, r.points, r.max_points) for r in result.requirements}
    assert total == result.points + result.bonus


def test_the_results_differ() -> None:
    """The models tried here are no shadows of each other."""
    seen = [
        (make().points, tuple(r.outcome for r in make().requirements)) for make in RESULTS.values()
    ]
    assert len(set(seen)) == len(seen)
    outcomes = {r.outcome for r in models.failing().requirements}
    assert outcomes == {"passed", "failed", "skipped", "waived", "error", "manual"}


# -- schemas ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "name"),
    [("json", "result-v1"), ("gradescope", "gradescope"), ("classroom50", "classroom50")],
)
def test_files_follow_their_schemas(view: str, name: str, result: Result, tmp_path: Path) -> None:
    valid(json.loads(written(result, view, tmp_path)), name)


def test_the_schemas_refuse_what_is_wrong() -> None:
    for name, wrong in (
        ("gradescope", {"output": "no score"}),
        ("gradescope", {"score": 1, "visibility": "maybe"}),
        ("classroom50", {"schema": "classroom50/result/v1"}),
        ("result-v1", {"schema": "milestone-chat/result/v1"}),
    ):
        with pytest.raises(jsonschema.ValidationError):
            valid(wrong, name)


def test_a_further_key_is_refused_by_classroom50(tmp_path: Path) -> None:
    content = json.loads(written(models.full(), "classroom50", tmp_path))
    with pytest.raises(jsonschema.ValidationError):
        valid(content | {"more": 1}, "classroom50")


def test_hidden_requirements_are_hidden(tmp_path: Path) -> None:
    result = models.failing()
    hidden = next(one for one in result.requirements if one.id == "2.1")
    hidden.hidden = True
    tests = json.loads(written(result, "gradescope", tmp_path))["tests"]
    assert {t["number"] for t in tests if t["visibility"] == "hidden"} == {"2.1"}
    text = written(result, "classroom50", tmp_path)
    shown = next(t for t in json.loads(text)["tests"] if t["test-name"].startswith("2.1 "))
    assert hidden.promise not in text
    assert shown["output"] == ""


def test_classroom50_names_what_the_environment_gives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {
        "CLASSROOM": "net",
        "ASSIGNMENT": "chat",
        "SUBMISSION_TAG": "submit/7",
        "COMMIT_URL": "https://example.org/commit/1",
        "OWNER": "somebody",
    }
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    content = json.loads(written(models.full(), "classroom50", tmp_path))
    valid(content, "classroom50")
    assert [content[k] for k in ("classroom", "assignment", "submission", "commit", "owner")] == [
        *given.values()
    ]


# -- there, whatever happens ------------------------------------------------------------------


def graded(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Run the command; its exit status, and the two files for course systems."""
    files = tmp_path / "results" / "results.json", tmp_path / "c" / "result.json"
    asked = [f"--gradescope={files[0]}", f"--classroom50={files[1]}"]
    outcome = CliRunner().invoke(cli.main, ["grade", "-m", "2", *asked, *arguments])
    contents = [json.loads(file.read_text()) for file in files]
    valid(contents[0], "gradescope")
    valid(contents[1], "classroom50")
    return outcome.exit_code, contents[0], contents[1]


def test_the_files_are_there_when_the_grader_breaks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise run.GraderBroke("pytest ended with status 3")

    monkeypatch.setattr(run, "run_checks", breaks)
    status, gradescope, classroom50 = graded(tmp_path)
    assert status == cli.BROKEN
    assert gradescope["score"] == classroom50["score"] == 0
    assert "not your fault" in gradescope["output"]
    assert "not your fault" in classroom50["tests"][0]["output"]


def test_the_files_are_there_when_the_grader_has_a_bug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "run_checks", breaks)
    status, gradescope, _ = graded(tmp_path)
    assert status != 0
    assert "not your fault" in gradescope["output"]


def test_the_files_are_there_when_the_submission_is_not(tmp_path: Path) -> None:
    status, gradescope, _ = graded(tmp_path, "--submission", str(tmp_path / "nowhere"))
    assert status == 2
    assert "no such directory" in gradescope["output"]


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = CliRunner().invoke(
        cli.main, ["grade", "-m", "2", "--gradescope", str(tmp_path / "file" / "results.json")]
    )
    assert outcome.exit_code == 2
    assert "--gradescope" in outcome.output


# -- nothing from a submission gets out of its place -------------------------------------------


def test_the_page_has_no_element_from_a_submission() -> None:
    page = Page(html.page(models.hostile()))
    assert "script" not in page.elements
    assert "img" not in page.elements
    assert page.elements.count("svg") == 1


def test_the_page_is_bounded() -> None:
    assert len(html.page(models.hostile(3_000_000))) < 300_000


def test_no_view_holds_control_characters(tmp_path: Path) -> None:
    for view in ("html", "markdown", "gradescope", "classroom50", "junit"):
        text = written(models.hostile(), view, tmp_path)
        if view in ("gradescope", "classroom50"):
            text = json.dumps(json.loads(text), ensure_ascii=False)
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text), view


def test_markdown_keeps_output_in_its_fences() -> None:
    text = markdown.report(models.hostile())
    outside, fence = [], ""
    for line in text.splitlines():
        ticks = re.match("`{3,}", line)
        if not fence and ticks:
            fence = ticks[0]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert fence == ""
    assert not any("<script" in line or "@everybody" in line for line in outside)
    assert any("@everybody" in line for line in text.splitlines())


def test_markdown_fits_into_a_comment() -> None:
    records = [models.check(one, "failed") for one in models.all_ids(2, 3, 4)]
    long = [r | {"came": "x" * 3000, "id": f"{r['id']} {n}"} for r in records for n in range(5)]
    text = markdown.report(models.result(long, (2, 3, 4)))
    assert len(text) < 65_536
    assert "No room here for" in text


# -- of a real run ----------------------------------------------------------------------------


def test_a_real_failing_run(tmp_path: Path) -> None:
    """A server that whispers to everybody: every file is written, is valid, and says the same."""
    files = {name: tmp_path / name for name in VIEWS}
    asked = [f"--{name}={path}" for name, path in files.items()]
    asked += ["--server", f"{sys.executable} {WRONG_SERVER} {{port}}", "--client", "reference"]
    asked += ["--only", "2.9", "-n", "1", "--seed", "1"]
    outcome = CliRunner().invoke(cli.main, ["grade", "-m", "2", *asked])
    assert outcome.exit_code == 0, outcome.output
    texts = {name: path.read_text() for name, path in files.items()}
    rows = {name: VIEWS[name](text) for name, text in texts.items()}
    assert all(one == rows["json"] for one in rows.values()), rows
    assert rows["json"] == ({"2.9": ("failed", 0, 3)}, 0)
    for view, name in (("json", "result-v1"), ("gradescope", "gradescope")):
        valid(json.loads(texts[view]), name)
    assert "forbidden: " in texts["html"]
    assert "rect rgba" in texts["markdown"]
    assert "forbidden: " in outcome.output
    assert "carol is shown nothing" in outcome.output
