"""`python -m grading`: see cli.py."""

from .cli import main

main()
