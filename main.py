"""python main.py model=<name> data=<name>: the command line of a checkout, ``seqrec`` where it is installed."""

from __future__ import annotations

from seqrec.cli.main import entry

if __name__ == "__main__":
    entry()
