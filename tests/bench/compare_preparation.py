"""seqrec's preparation of a generated log beside RecTools' and RePlay's, in turns on one machine.

    python tests/bench/compare_preparation.py --millions 10

All read the same csv file. A peer is installed into an environment of its own at its first use. seqrec's time is that
of a first start, with the check of the file and the writing of the cache. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path

from compare import environment
from processes import run

HERE = Path(__file__).parent
PEERS = ("rectools", "replay")


def main() -> None:
    """One line a library."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("multirun/bench"))
    arguments = parser.parse_args()
    folder = arguments.out.resolve() / "preparation"
    shutil.rmtree(folder, ignore_errors=True)
    log = folder / "log.csv"
    scale = [sys.executable, str(HERE / "scale.py"), "--millions", str(arguments.millions), "--child"]
    pythons = {peer: environment(peer, arguments.out.resolve() / "environments") for peer in PEERS}
    commands = {"seqrec": [*scale, "prepare", "--log", str(log)]}
    commands |= {peer: [str(pythons[peer]), str(HERE / "peer_preparation.py"), peer, str(log)] for peer in PEERS}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    try:
        for part in ("write", "write_text"):
            run([*scale, part, "--log", str(folder)])
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                shutil.rmtree(folder / "cache", ignore_errors=True)
                found[name].append(json.loads(run(command).splitlines()[-1]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'':12}{'s':>10}{'CPU s':>10}{'peak MB':>10}")
    for name, rounds in found.items():
        middle = [statistics.median(one[key] for one in rounds) for key in ("seconds", "cpu_seconds", "peak_mb")]
        print(f"{name:12}" + "".join(f"{value:>10,.1f}" for value in middle))


if __name__ == "__main__":
    main()
