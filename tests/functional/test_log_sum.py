"""log_sum_exp against torch.logsumexp, and the numbers that it avoids."""

from __future__ import annotations

import torch

from seqrec.functional.in_batch.log_sum import log_sum_exp


def scores(dtype: torch.dtype) -> torch.Tensor:
    """Rows whose entries lie up to 300 apart, a tenth of them left out."""
    generator = torch.Generator().manual_seed(0)
    wide = 100 * torch.randn(40, 30, dtype=dtype, generator=generator)
    wide[:, 1:] = wide[:, 1:].masked_fill(torch.rand(40, 29, generator=generator) < 0.1, -torch.inf)
    return wide.requires_grad_()


def test_value_and_gradient() -> None:
    x, weight = scores(torch.float64), torch.randn(40, dtype=torch.float64)
    expected, actual = torch.logsumexp(x, 1), log_sum_exp(x)
    torch.testing.assert_close(actual, expected)
    (right,), (found,) = (torch.autograd.grad((y * weight).sum(), x) for y in (expected, actual))
    torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-25)


def test_no_denormal_gradient() -> None:
    x = scores(torch.float32)
    (log_sum_exp(x).mean()).backward()
    (of_plain,) = torch.autograd.grad(torch.logsumexp(x, 1).mean(), x)
    tiny = torch.finfo(torch.float32).tiny
    assert ((of_plain > 0) & (of_plain < tiny)).any()
    assert x.grad is not None and ((x.grad == 0) | (x.grad > 1e-30)).all()
    assert not x.grad[x.isinf()].any()
