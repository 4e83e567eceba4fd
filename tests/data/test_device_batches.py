"""Batches gathered on the device are those of the host, but for columns of padding, and no number is asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from seqrec.data import datamodule
from seqrec.data.batch import Batch
from seqrec.data.device_batches import DeviceBatches, fits, rounded
from seqrec.data.windows import Windows, interactions, last_window, prefixes
from tests.factories import make_sequences
from tests.methods.small import made

LENGTHS = (5, 30, 9, 14, 22, 6)
MOST = 20


def windows(rule: Any) -> Windows:
    histories = [torch.arange(1, 1 + length) for length in LENGTHS]
    return rule(make_sequences(histories, 40), MOST, torch.Generator())


@pytest.mark.parametrize("rule", [last_window, prefixes, interactions])
def test_batches_are_those_of_the_host(rule: Any) -> None:
    examples = windows(rule)
    rows = list(torch.randperm(len(examples)).split(4))
    batches = DeviceBatches(examples, rows, MOST, torch.device("cpu"))
    assert len(batches) == len(rows)
    for number, part in enumerate(rows):
        found, wanted = batches[number], examples.batch(part, MOST)
        more = found.items.shape[1] - wanted.items.shape[1]
        assert more >= 0
        assert found.counts == wanted.counts
        for name in ("items", "next_items"):
            assert torch.equal(getattr(found, name), F.pad(getattr(wanted, name), (0, more)))
        for name in ("row", "user", "target"):
            assert torch.equal(getattr(found, name), getattr(wanted, name))


def test_the_host_is_not_asked_for_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the start of an epoch no tensor becomes a Python number."""
    examples = windows(last_window)
    batches = DeviceBatches(examples, [torch.arange(3), torch.arange(3, 6)], MOST, torch.device("cpu"))

    def refuse(self: Tensor) -> int:
        raise AssertionError("a GPU would be waited for")

    for name in ("__int__", "__bool__", "__index__", "item", "tolist"):
        monkeypatch.setattr(Tensor, name, refuse)
    assert [batches[number].items.shape for number in range(2)] == [(3, MOST), (3, MOST)]


@pytest.mark.parametrize(("width", "expected"), [(0, 0), (1, 8), (8, 8), (9, 16), (17, 20), (20, 20)])
def test_widths_are_few(width: int, expected: int) -> None:
    assert rounded(width, MOST) == expected


def test_a_tenth_of_the_free_memory_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = windows(last_window)
    needed = 4 * sum(LENGTHS) + 4 * 8 * len(LENGTHS)
    free = [10 * needed]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[0], 1 << 40))
    assert fits(examples, torch.device("cuda", 0))
    assert not fits(examples, torch.device("cpu"))
    free[0] -= 1
    assert not fits(examples, torch.device("cuda", 0))


@pytest.mark.parametrize(
    ("on_device", "enough", "device", "there"),
    [
        ("auto", True, "cuda", True),
        ("auto", False, "cuda", False),
        ("auto", True, "cpu", False),
        (True, False, "cuda", True),
        (True, True, "cpu", False),
        (False, True, "cuda", False),
    ],
)
def test_when_they_are_gathered_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_device: Any, enough: bool, device: str, there: bool
) -> None:
    data = made(tmp_path, "model=sasrec", f"data.on_device={on_device}")[1]
    data.setup()

    class OnTheCpu(DeviceBatches):
        def __init__(self, windows: Windows, rows: list[Tensor], max_length: int, device: torch.device) -> None:
            super().__init__(windows, rows, max_length, torch.device("cpu"))

    monkeypatch.setattr(datamodule, "DeviceBatches", OnTheCpu)
    monkeypatch.setattr(datamodule, "fits", lambda windows, device: enough and device.type == "cuda")
    strategy: Any = SimpleNamespace(root_device=torch.device(device))
    data.trainer = SimpleNamespace(current_epoch=0, global_rank=0, world_size=1, strategy=strategy)  # type: ignore
    loader: DataLoader[Batch] = data.train_dataloader()
    assert isinstance(loader.dataset, DeviceBatches) is there
    assert len(loader) > 0
    if there:
        assert {int(row) for batch in loader for row in batch.row} == set(range(len(data.training_windows(0))))
    else:
        assert loader.pin_memory is (device == "cuda")
