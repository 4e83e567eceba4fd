"""Waits and launches of models on the emulated device.

python -m tests.device                            # all models and variants, beside the stored table
python -m tests.device sasrec "fenrec, full form"  # those, and where each waits
python -m tests.device --write                    # make the table again
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.device.audit import audit
from tests.device.configurations import MODELS, VARIANTS
from tests.device.record import Refused
from tests.device.table import differences, places, store, stored


def main() -> bool:
    """Run the command line; returns whether all is as stored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models or variants; all of them by default")
    parser.add_argument("--write", action="store_true", help="store the numbers")
    given = parser.parse_args()
    everything = [*MODELS, *VARIANTS]
    unknown = set(given.names) - set(everything)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {'; '.join(everything)}")
    table = stored() if given.names or not given.write else {}
    well = True
    with TemporaryDirectory() as cache:
        for name in given.names or everything:
            try:
                found = audit(name, Path(cache))
            except Refused as refused:
                print(f"{name}: refused: {refused}", flush=True)
                well = False
                continue
            changed = differences(found, table.get(name, found.numbers))
            print(f"{name:32} " + ", ".join(f"{key} {n}" for key, n in found.numbers.items()), flush=True)
            print(
                "\n".join(changed or (places(found) if given.names else [])), end="\n" if changed or given.names else ""
            )
            well = well and not changed
            table[name] = found.numbers
    if given.write:
        store({name: table[name] for name in everything if name in table})
    return well or given.write


if __name__ == "__main__":
    sys.exit(not main())
