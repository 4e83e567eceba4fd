"""A process that trains takes denormal numbers for 0, in all of its threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import torch
from seqrec.training.process import prepare_process
prepare_process()
torch.set_num_threads(2)
tiny = torch.full((1 << 22,), 2.0**-130)
print(int((tiny * 0.5 != 0).sum()), float(torch.full((1,), 2.0**-126) * 2.0))
"""


def test_denormals_are_zero_in_all_threads() -> None:
    """In a process of its own: what is tested here would hold for the other tests too."""
    import torch

    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    torch.set_flush_denormal(False)
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(2.0**-125)]
