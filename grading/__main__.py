"""`python -m grading`: see cli.py."""

import sys
import traceback

from .cli import BROKEN, main

try:
    main()
except Exception:  # whatever it is, it is not the student's fault, and no grade
    traceback.print_exc()
    print("The grader broke: the lines above say where. No grade was given.", file=sys.stderr)
    sys.exit(BROKEN)
