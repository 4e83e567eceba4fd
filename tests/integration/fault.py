"""main.py in a process that kills itself at the n-th file that it opens for writing, renames or removes.

    python tests/integration/fault.py POINT FOLDER ARGUMENTS...

Only files below FOLDER count. With POINT 0 it runs to its end and prints how many points there are.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

MAIN = Path(__file__).parents[2] / "main.py"
EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link")


def main(point: int, folder: str, arguments: list[str]) -> None:
    """Run main.py and count."""
    seen = 0

    def count(event: str, values: tuple[Any, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(values[2], int) and bool(values[2] & (os.O_WRONLY | os.O_RDWR))
        if not (writes or event in EVENTS) or not str(values[0]).startswith(folder):
            return
        seen += 1
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.argv = [str(MAIN), *arguments]
    sys.path.insert(0, str(MAIN.parent))
    sys.addaudithook(count)
    runpy.run_path(str(MAIN), run_name="__main__")
    print(f"points: {seen}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
