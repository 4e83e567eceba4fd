"""``python -m seqrec`` is the console script ``seqrec``."""

from __future__ import annotations

from seqrec.cli.main import entry

if __name__ == "__main__":
    entry()
