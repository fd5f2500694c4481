"""From a submission to a grade: rubric, judgement, reports, the command line.

    rubric.py       the single list of requirements and points (rubric.toml)
    submission.py   find, copy and build a submission
    run.py          run the checks with pytest, and collect a record for each
    judge.py        records to outcomes: dialects, prerequisites, shares, points
    model.py        the result, of which every report is made
    terminal.py     the report on the terminal
    junit.py        the report as JUnit XML
    cli.py          `python -m grading grade ...`

The checks know nothing of points, and this package reaches them through pytest alone.
"""

__version__ = "1.0"
