"""Waits and launches of models on the emulated device.

    python -m tests.device                              # all of the table, and what differs from it
    python -m tests.device sasrec "fenrec, full form"   # those, and where each waits
    python -m tests.device --lines sasrec               # and which lines launch most kernels of a step
    python -m tests.device --write                      # make the table again

Numbers are those of very small models, of published sizes where the name says so.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.device.audit import audit
from tests.device.configurations import MODELS, VARIANTS
from tests.device.published import EPOCH_START, PUBLISHED
from tests.device.record import Refused
from tests.device.table import differences, places, store, stored

MOST = 40  # lines that are shown


def main() -> bool:
    """Run the command line; returns whether all is as stored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models or variants; all of them by default")
    parser.add_argument("--lines", action="store_true", help="show launches of a step by line")
    parser.add_argument("--write", action="store_true", help="store the numbers")
    given = parser.parse_args()
    everything = [*MODELS, *VARIANTS, *PUBLISHED, EPOCH_START]
    unknown = set(given.names) - set(everything)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {'; '.join(everything)}")
    table = stored() if given.names or not given.write else {}
    well = True
    with TemporaryDirectory() as cache:
        for name in given.names or everything:
            try:
                found = audit(name, Path(cache), given.lines)
            except Refused as refused:
                print(f"{name}: refused: {refused}", flush=True)
                well = False
                continue
            changed = differences(found, table.get(name, found.numbers))
            print(f"{name:32} " + ", ".join(f"{key} {n}" for key, n in found.numbers.items()), flush=True)
            for line in changed or (places(found) if given.names else []):
                print(line)
            for place, launches in found.step.lines.most_common(MOST):
                print(f"    step: {launches} launches {place}")
            well = well and not changed
            table[name] = found.numbers
    if given.write:
        store({name: table[name] for name in everything if name in table})
    return well or given.write


if __name__ == "__main__":
    sys.exit(not main())
