"""A good echo server (asyncio_echo), but on port 8080 whatever its argument says."""

import pathlib
import runpy
import sys

sys.argv[1:] = ["8080"]
program = pathlib.Path(__file__).resolve().parent.parent / "asyncio_echo" / "server.py"
runpy.run_path(str(program), run_name="__main__")
