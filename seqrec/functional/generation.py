"""The output of a masked-item generator in one pass: loss, chosen item, differentiable mean of the items."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqrec.functional.chunks import rows_at_a_time
from seqrec.functional.precision import add_product_, at_least_float, factor_type, product
from seqrec.functional.softmax.chunked import CHUNK_ELEMENTS


class _Generation(torch.autograd.Function):
    """Never holds all logits; those of the mean's gradient are computed again, and only if it has one.

    What the large products multiply is rounded to the type ``factors``.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, classes: Tensor, target: Tensor, weight: Tensor, factors: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.factors = factors
        rows = rows_at_a_time(len(classes), CHUNK_ELEMENTS, states)
        loss, choice = states.new_zeros(()), torch.empty_like(target)
        expected, grad_classes = torch.empty_like(states), torch.zeros_like(classes)
        pieces = zip(*(x.split(rows) for x in (states, target, weight, choice, expected)), strict=True)
        for x, y, w, chosen, mean in pieces:
            logits = product(x, classes.T, factors)
            top, _ = torch.max(logits, 1, out=(x.new_empty(len(x)), chosen))
            probability = torch.softmax(logits, dim=1)
            # The largest probability is at least 1 / classes, so its logarithm is safe.
            log_sum = top - probability.gather(1, chosen[:, None])[:, 0].log()
            loss += ((log_sum - logits.gather(1, y[:, None])[:, 0]) * w).sum()
            product(probability, classes, factors, out=mean)
            probability.scatter_(1, y[:, None], probability.gather(1, y[:, None]) - 1.0)
            add_product_(grad_classes, probability.T, x * w[:, None], factors)
        ctx.save_for_backward(states, classes, target, weight, expected, grad_classes)
        ctx.mark_non_differentiable(choice)
        return loss, choice, expected

    @staticmethod
    def backward(ctx: Any, *grad: Tensor | None) -> tuple[Tensor | None, ...]:
        states, classes, target, weight, expected, grad_classes = ctx.saved_tensors
        (of_loss, _, of_expected), factors = grad, ctx.factors
        if of_loss is None:
            grad_states, grad_classes = torch.zeros_like(states), torch.zeros_like(classes)
        else:
            grad_states = (expected - classes[target]) * (weight * of_loss)[:, None]
            grad_classes = grad_classes * of_loss
        if of_expected is not None:
            rows = rows_at_a_time(len(classes), CHUNK_ELEMENTS, states)
            pieces = zip(*(x.split(rows) for x in (states, of_expected, expected, grad_states)), strict=True)
            for x, g, mean, grad_x in pieces:
                probability = torch.softmax(product(x, classes.T, factors), dim=1)
                of_logits = probability * (product(g, classes.T, factors) - (g * mean).sum(1, keepdim=True))
                add_product_(grad_x, of_logits, classes, factors)
                add_product_(grad_classes, of_logits.T, x, factors)
        return grad_states, grad_classes, None, None, None


def generate(states: Tensor, classes: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fill in masked items (EASNRec, eqs. (14)-(15)).

    Args:
        states: ``(M, D)`` generator states at masked positions.
        classes: ``(I, D)`` item vectors.
        target: ``(M,)`` int64, rows of ``classes``.
        weight: ``(M,)`` weights of the positions.

    Returns:
        The weighted sum of cross entropies; the likeliest class ``(M,)``; the mean ``(M, D)`` of the class
        vectors under the softmax, whose gradient goes to the logits but takes the vectors as constant. The factors of
        the large products are bfloat16 where autocast says so.
    """
    factors = factor_type(states)
    with torch.autocast(states.device.type, enabled=False):
        filled: tuple[Tensor, Tensor, Tensor] = _Generation.apply(
            at_least_float(states), at_least_float(classes, states), target, at_least_float(weight, states), factors
        )
    return filled


def mean_of_means(masked: Tensor) -> Tensor:
    """Weights ``(B, L)`` of ``masked`` positions for the mean over rows of means over positions."""
    count = masked.sum(1, keepdim=True)
    return (count.clamp(min=1) * (count > 0).sum().clamp(min=1)).reciprocal().expand(masked.shape)


@torch.no_grad()
def draw(states: Tensor, classes: Tensor, uniform: Tensor, power: float) -> Tensor:
    """Draw a class for each position from its softmax raised to a power (ELECRec), by inverting the distribution.

    Args:
        states: ``(M, D)``.
        classes: ``(C, D)`` one vector a class.
        uniform: ``(M,)`` draws in [0, 1).
        power: of the probabilities, which are then normalised again; the same as a temperature of 1 / power.

    Returns:
        ``(M,)`` int64, rows of ``classes``.
    """
    drawn = torch.empty(len(states), dtype=torch.int64, device=states.device)
    rows = rows_at_a_time(len(classes), CHUNK_ELEMENTS, states)
    with torch.autocast(states.device.type, enabled=False):
        classes = at_least_float(classes, states).T
        for x, u, chosen in zip(*(part.split(rows) for part in (states, uniform, drawn)), strict=True):
            logits = (at_least_float(x) @ classes).mul_(power)
            reached = logits.sub_(logits.amax(1, keepdim=True)).exp_().cumsum(1)
            level = u[:, None].to(reached.dtype) * reached[:, -1:]
            chosen.copy_(torch.searchsorted(reached, level, right=True)[:, 0])
    return drawn.clamp(max=len(classes.T) - 1)
