"""The external memory on several ranks: one memory, and the gradient of the mean loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from seqrec.methods.easnrec.memory import ExternalMemory
from seqrec.methods.easnrec.memory_rules import WRITE_NORMS
from tests.two_ranks import on_both


def on_a_rank(rank: int, folder: Path) -> None:
    stored, results = torch.load(folder / "inputs"), {}
    for rule, state in stored["states"].items():
        memory = ExternalMemory(6, 4, 0.0, write_norm=rule).double()
        memory.load_state_dict(state)
        memory.remember(stored["tokens"][rank])
        written = memory.after_write()
        (written * stored["probe"][rank]).sum().backward()
        results[rule] = [written.detach(), memory.w_w.grad, memory.w_u.grad]
    torch.save(results, folder / f"output.{rank}")


def test_two_ranks_write_what_one_would(tmp_path: Path) -> None:
    torch.manual_seed(0)
    rules: list[Any] = list(WRITE_NORMS)
    memories = {rule: ExternalMemory(6, 4, 0.0, write_norm=rule).double() for rule in rules}
    tokens = [torch.randn(5, 6).double(), torch.randn(3, 6).double()]
    probe = [torch.randn(4, 6).double() for _ in range(2)]
    states = {rule: memory.state_dict() for rule, memory in memories.items()}
    torch.save({"states": states, "tokens": tokens, "probe": probe}, tmp_path / "inputs")
    on_both(on_a_rank, tmp_path)
    first, second = (torch.load(tmp_path / f"output.{rank}") for rank in range(2))

    for rule, memory in memories.items():
        memory.remember(torch.cat(tokens))
        written = memory.after_write()
        (written * (probe[0] + probe[1])).sum().backward()
        torch.testing.assert_close(first[rule][0], written.detach())
        torch.testing.assert_close(second[rule][0], written.detach())
        for i, weight in ((1, memory.w_w), (2, memory.w_u)):
            torch.testing.assert_close(first[rule][i] + second[rule][i], weight.grad)


def test_writes_do_not_depend_on_how_often_a_batch_is_repeated() -> None:
    memory = ExternalMemory(6, 4, 0.0).double()
    tokens = torch.randn(5, 6).double()
    memory.remember(tokens)
    once = memory.after_write()
    memory.remember(tokens.repeat(7, 1))
    torch.testing.assert_close(memory.after_write(), once)
