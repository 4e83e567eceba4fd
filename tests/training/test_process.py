"""A process that trains takes denormal numbers for 0, in all of its threads."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

PROGRAM = """
import torch
from seqrec.training.process import prepare_process

prepare_process()
torch.set_num_threads(2)
smallest = torch.full((1 << 22,), torch.finfo(torch.float32).tiny)  # enough for both threads
for made in (smallest * 0.5, smallest * 1.0):
    print(torch.count_nonzero(made.view(torch.int32)).item())  # of the bits: in this mode a denormal number equals 0
"""


def test_denormals_are_zero_in_all_threads() -> None:
    """In a process of its own, as the mode stays."""
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(1 << 22)]
