"""Has the jobs of sweeps begin with the libraries imported: Python runs this file at its start where it is found.

The process of a job hands its work to the server of ``tests/preloaded.py`` that ``PRELOADED_JOBS`` names. Launchers
start their jobs from processes of their own, in which a test could replace nothing.
"""

import os
import sys

if "seqrec.cli.sweeps.job" in sys.orig_argv and "PRELOADED_JOBS" in os.environ:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(here))
    from preloaded import ask  # type: ignore[import-not-found]

    sys.path.pop(0)
    os._exit(ask(os.environ["PRELOADED_JOBS"], [os.path.join(here, "job.py"), sys.orig_argv[-1]]) & 255)
