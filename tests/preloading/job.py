"""A job of a sweep in a process with the libraries imported; it draws no pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from seqrec.cli.sweeps.job import main
from tests.integration.running import undrawn

if __name__ == "__main__":
    with undrawn():
        main(Path(sys.argv[1]))
