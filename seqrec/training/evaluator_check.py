"""Canaries: the evaluator is tested on scores whose metrics are known, before the first epoch of every run."""

from __future__ import annotations

import math

import torch

from seqrec.data.datamodule import SequenceDataModule
from seqrec.functional.ranking import target_rank
from seqrec.metrics import Protocol, summarise


def check_evaluator(data: SequenceDataModule, protocol: Protocol) -> None:
    """Rank a few validation targets by constant, perfect and broken scores.

    Raises:
        ValueError: a canary did not give what it must; no number of this run could be trusted.
    """
    windows = data.splits["val"]
    rows = torch.arange(min(64, len(windows)))
    batch = windows.batch(rows, data.max_length)
    num_items = data.sequences.num_items
    constant = summarise(target_rank(torch.zeros(len(rows), num_items), batch.target), protocol.cutoffs)
    middle = (num_items + 1) / 2
    for k in protocol.cutoffs:
        expected = float(middle <= k)
        if constant[f"recall@{k}"] != expected:
            raise ValueError(f"constant scores give recall@{k} {constant[f'recall@{k}']}, but must give {expected}")
    if not math.isclose(constant["mrr"], 1 / middle, rel_tol=1e-12):
        raise ValueError(f"constant scores give MRR {constant['mrr']}, but must give {1 / middle}")
    oracle = torch.zeros(len(rows), num_items)
    oracle[rows, batch.target - 1] = 1.0
    perfect = summarise(target_rank(oracle, batch.target), protocol.cutoffs)
    if any(value != 1.0 for value in perfect.values()):
        raise ValueError(f"the oracle's metrics must all be 1, but are {perfect}")
    try:
        target_rank(oracle.fill_(torch.nan), batch.target)
    except ValueError:
        return
    raise ValueError("scores that are not numbers were ranked without an error")
