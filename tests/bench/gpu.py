"""What seqrec does on a GPU, in ten minutes: eight parts, each with its own deadline, as JSON and as tables.

    python -m tests.bench.gpu --out results                      # on a GPU
    python -m tests.bench.gpu --device emulated --small          # does it run? here without a GPU
    python -m tests.bench.gpu --parts 2 3                        # some of the parts

Parts: 0 the machine, 1 every model, 2 a training step, 3 the ladder of remedies, 4 cross entropy, 5 clusters and a
validation, 6 several processes on one device, 7 resumed training. Nothing else should run meanwhile.
"""

from __future__ import annotations

import sys

from tests.gpu.command import main

if __name__ == "__main__":
    main(sys.argv[1:], __doc__ or "")
