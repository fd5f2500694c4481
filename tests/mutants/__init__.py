"""Wrong programs that the checks must catch: the proof that the grader is right.

A mutant is the reference with one thing replaced, as a student might have written it. It says
which requirement it breaks; grading it must fail that requirement and no other, but for those
that rest on it.

    registry.py     what a mutant is, and how it takes the reference's place
    milestoneN.py   the mutants of milestone N
    emptied.py      automatic ones: every function that names a requirement, emptied
    run.py          start a mutant's server or client: run.py NAME server PORT
    grade.py        grade mutants, and find survivors and undeclared kills
    matrix.py       `make mutants`: all of them, as the table in docs/mutants.md
"""
