"""Cross entropy of a softmax over all items whose logits are never all in memory."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.chunks import rows_at_a_time
from seqrec.functional.precision import add_product_, product

CHUNK_ELEMENTS = 3 << 19  # logits in memory at a time: 6 MB, which stay in the cache from one pass to the next


def chunked_cross_entropy(
    states: Tensor, classes: Tensor, items: Tensor, probabilities: Tensor | None, weight: Tensor, factors: torch.dtype
) -> Tensor:
    """:func:`~seqrec.functional.losses.soft_label_cross_entropy`.

    Args:
        states: ``(M, D)`` in float32 or float64, as all but ``items``.
        classes: ``(C, D)``.
        items: ``(M, K)`` int64, rows of ``classes``.
        probabilities: ``(M, K)``; None for K = 1.
        weight: ``(M,)`` of the positions.
        factors: the type in which the large products multiply, see :func:`~seqrec.functional.precision.product`.

    Returns:
        Scalar, the weighted sum.
    """
    loss: Tensor = _ChunkedCrossEntropy.apply(states, classes, items, probabilities, weight, factors)
    return loss


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Weighted sum of cross entropies whose gradient is formed in the forward pass, a chunk of rows at a time.

    The logits ``(M, C)`` are larger than everything else in a training step. Here they are computed once, a chunk at a
    time, and used for both gradients before the next chunk takes their place; automatic differentiation would store or
    recompute them all. For a row x with label y, the gradient is ``(softmax(x C^T) - y) C``. The softmax is never
    normalised as a matrix: its sums divide the ``(M, D)`` factors of the two products instead. The labels, a few rows
    of ``classes``, are subtracted separately at the end. What the three products multiply is rounded to the type
    ``factors``; they are added up, and all else is done, in that of ``states``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        classes: Tensor,
        target: Tensor,
        label: Tensor | None,
        weight: Tensor,
        factors: torch.dtype,
    ) -> Tensor:
        rows = rows_at_a_time(len(classes), CHUNK_ELEMENTS, states)
        # Always of the same size, so that the allocator returns the same memory in every step.
        all_logits = states.new_empty(rows, len(classes))
        grad_states = torch.empty_like(states)
        grad_classes = torch.zeros_like(classes)
        log_sum = states.new_empty(len(states), 1)
        split = [part.split(rows) for part in (states, weight[:, None], log_sum, grad_states)]
        need_gradient = any(ctx.needs_input_grad[:2])
        for x, w, log_s, grad_x in zip(*split, strict=True):
            logits = product(x, classes.T, factors, out=all_logits[: len(x)])
            largest = logits.amax(1, keepdim=True)  # subtracted, so that no exponential overflows
            exponential = logits.sub_(largest).exp_()
            total = exponential.sum(1, keepdim=True)
            torch.add(largest, total.log(), out=log_s)
            if need_gradient:
                factor = w / total
                product(exponential, classes, factors, out=grad_x).mul_(factor)
                add_product_(grad_classes, exponential.T, x * factor, factors)
        labels, share = F.embedding(target, classes), weight[None]  # (M, K, D), (K, M)
        if label is None:
            labels = labels[:, 0]
        else:
            labels, share = (labels * label[..., None]).sum(1), weight * label.T
        if need_gradient:
            grad_states.addcmul_(labels, weight[:, None], value=-1)
            for item, part in zip(target.unbind(1), share, strict=True):
                grad_classes.index_add_(0, item, states * part[:, None], alpha=-1)
        ctx.save_for_backward(grad_states, grad_classes)
        return ((log_sum[:, 0] - (states * labels).sum(1)) * weight).sum()

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_states, grad_classes = ctx.saved_tensors
        return grad_states * grad[0], grad_classes * grad[0], None, None, None, None
