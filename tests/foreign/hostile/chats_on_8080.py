"""A good chat server (asyncio_chat), but on port 8080 whatever its argument says."""

import pathlib
import runpy
import sys

sys.argv[1:] = ["8080"]
folder = pathlib.Path(__file__).resolve().parent.parent / "asyncio_chat"
sys.path.insert(0, str(folder))
runpy.run_path(str(folder / "server.py"), run_name="__main__")
