"""The report as JUnit XML, written from the model: one test case for each requirement."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from .model import ERROR, FAILED, MANUAL, SKIPPED, WAIVED, RequirementResult, Result

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(result: Result, path: Path) -> None:
    """Write the XML file. Raises OSError."""
    suites = ElementTree.Element("testsuites")
    for milestone in result.milestones:
        mine = result.of(milestone.milestone)
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=f"milestone{milestone.milestone}",
            tests=str(len(mine)),
            failures=str(sum(one.outcome == FAILED for one in mine)),
            errors=str(sum(one.outcome == ERROR for one in mine)),
            skipped=str(sum(one.outcome in (SKIPPED, WAIVED, MANUAL) for one in mine)),
            time=f"{sum(one.seconds for one in mine):.3f}",
            timestamp=result.started,
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in (("points", milestone.points), ("max_points", milestone.max_points)):
            ElementTree.SubElement(properties, "property", name=name, value=str(value))
        for one in mine:
            suite.append(_case(one))
    tree = ElementTree.ElementTree(suites)
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _case(one: RequirementResult) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=f"milestone{one.milestone}",
        name=f"{one.id} {one.promise}",
        time=f"{one.seconds:.3f}",
    )
    if one.outcome in (FAILED, ERROR):
        tag = "failure" if one.outcome == FAILED else "error"
        ElementTree.SubElement(
            case, tag, message=_xml(one.reason), type=one.outcome
        ).text = "\n\n".join(
            _xml(f"{check['promise']}\nExpected: {check['expected']}\nCame: {check['came']}")
            for check in one.failures
        )
    elif one.outcome in (SKIPPED, WAIVED, MANUAL):
        ElementTree.SubElement(case, "skipped", message=_xml(f"{one.outcome}: {one.reason}"))
    output = [f"points {one.points}/{one.max_points}"]
    for check in one.failures:
        for name, shown in check.get("transcripts", {}).items():
            output.append(f"What {name} was shown:\n{shown}")
    ElementTree.SubElement(case, "system-out").text = _xml("\n\n".join(output))
    return case


def _xml(text: str) -> str:
    """`text` without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
