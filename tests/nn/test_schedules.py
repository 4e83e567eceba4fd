"""Learning rates step by step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seqrec.nn.schedules import LinearWarmup


@pytest.mark.parametrize(
    ("num_steps", "expected"), [(4, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]), (1, [1.0] * 6), (2, [0.5] + [1.0] * 5)]
)
def test_the_rate_grows_in_equal_steps_and_stays(num_steps: int, expected: list[float]) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler, rates = LinearWarmup(optimizer, num_steps), []
    for _ in expected:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.2 * factor for factor in expected])


def test_a_warm_up_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LinearWarmup(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2), 0)
