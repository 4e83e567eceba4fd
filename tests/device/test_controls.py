"""The emulated device notices what it is there for, and nothing of it stays behind in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.device.controls import audit_changed
from tests.device.record import Refused
from tests.device.table import differences, stored

STEP = "seqrec.methods.next_item.NextItem.training_step"
MIXED = r"with tensors of two devices: .* at seqrec/nn/\w+\.py:\d+"
GENERATOR = r"uniform_ with a generator of the host at seqrec/methods/next_item\.py:\d+"


@pytest.mark.parametrize(
    ("name", "function", "before", "after", "refused"),
    [
        pytest.param(
            "sasrec",
            "seqrec.nn.trunk.TransformerTrunk._embedded",
            ", device=valid.device",
            "",
            MIXED,
            id="a tensor made on the host",
        ),
        pytest.param(
            "icsrec",
            "seqrec.methods.contrastive.clustering.vectors_of_all",
            "windows.to(model.device), order.to(model.device)",
            "windows, order",
            r"with tensors of two devices: .* at seqrec/",
            id="histories that stay on the host",
        ),
        pytest.param(
            "sasrec",
            STEP,
            "return loss",
            "return loss + loss.new_zeros(()).uniform_(generator=__import__('torch').Generator())",
            GENERATOR,
            id="a generator of the host",
        ),
    ],
)
def test_refused(apart: Any, cache_dir: Path, name: str, function: str, before: str, after: str, refused: str) -> None:
    with pytest.raises(Refused, match=refused):
        apart(audit_changed, name, cache_dir, function, before, after)


def test_another_wait_is_a_difference(apart: Any, cache_dir: Path) -> None:
    row = stored()["sasrec"]
    found = apart(audit_changed, "sasrec", cache_dir, STEP, "return loss", "return loss + 0 * loss.item()")
    rose, *lines = differences(found, row)
    assert rose == f"step waits rose from {row['step waits']} to {row['step waits'] + 1}"
    assert any("step: 1 x item at seqrec/methods/next_item.py:" in line for line in lines)


def test_fewer_waits_are_a_difference_until_they_are_stored(apart: Any, cache_dir: Path) -> None:
    row = stored()["sasrec"]
    found = apart(audit_changed, "sasrec", cache_dir, STEP, "return loss", "return loss")
    assert differences(found, row) == []
    fell, *_ = differences(found, row | {"step launches": row["step launches"] + 1})
    assert fell.startswith(f"step launches fell from {row['step launches'] + 1} to {row['step launches']}; keep that")


def test_this_process_has_no_emulated_device() -> None:
    assert torch._C._get_privateuse1_backend_name() == "privateuseone"
    assert not torch.__future__.get_swap_module_params_on_conversion()
