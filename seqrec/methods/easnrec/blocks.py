"""Both branches of the uncertainty attention on a CPU: a block of queries at a time, and what is newer is not made.

Shapes: n rows times heads, L positions, d width of a head. A block of queries of a causal attention multiplies with the
keys up to its own end, so about half of all pairs are left out, and its matrices stay in the cache from one pass to the
next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from seqrec.nn.dropout import kept_bytes, kept_scale

BLOCK = 50  # queries of a causal attention


def block_attention(
    parts: Tensor, noise: tuple[Tensor, Tensor], bias: Tensor | None, causal: bool, p: float, first: int = 0
) -> Tensor:
    """Contexts ``(n, L, d)``, the sum of both branches (EASNRec eq. (20)); zero before the query ``first``.

    Args:
        parts: ``(5, n, L, d)`` queries, keys, values, penalty queries and penalty keys.
        noise: of queries and of keys, each ``(n, L, d)``.
        bias: ``(n, 1, L)``, added to the scores of keys; None: nothing.
        causal: a query sees itself and what is older.
        p: probability of dropping a weight, drawn for each branch.
        first: the first query that is asked for.
    """
    contexts: Tensor = _BlockAttention.apply(parts, *noise, bias, causal, p, first)
    return contexts


def _blocks(first: int, length: int, causal: bool) -> Iterator[tuple[slice, slice]]:
    """Queries of each block, and the keys that they see."""
    for start in range(first, length, BLOCK if causal else length):
        stop = min(start + BLOCK, length) if causal else length
        yield slice(start, stop), slice(0, stop if causal else length)


class _BlockAttention(torch.autograd.Function):
    """Keeps the weights of both branches before and after dropout, which is all that a softmax's gradient needs.

    Of weights w, kept weights k = w m and the gradient g of k, that of the scores is ``k g - w sum(k g)``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        parts: Tensor,
        query_noise: Tensor,
        key_noise: Tensor,
        bias: Tensor | None,
        causal: bool,
        p: float,
        first: int,
    ) -> Tensor:
        query, key, value, penalty_query, penalty_key = parts.unbind(0)
        noisy_query, noisy_key = query + query_noise, key + key_noise
        n, length, width = value.shape
        scale, saved = width**-0.5, []
        contexts = torch.zeros_like(value) if first else torch.empty_like(value)
        newer = value.new_full((BLOCK, BLOCK), -torch.inf).triu_(1)
        for asking, asked in _blocks(first, length, causal):
            size, keys = asking.stop - asking.start, asked.stop
            # The penalty (18) and the mask are the same in both branches.
            shared = value.new_empty(n, size, keys)
            torch.baddbmm(shared, penalty_query[:, asking], penalty_key[:, asked].mT, beta=0, alpha=-scale, out=shared)
            if causal:
                shared[..., asking].add_(newer[:size, :size])
            elif bias is not None:
                shared.add_(bias)
            weights = value.new_empty(2, n, size, keys)
            plain = torch.baddbmm(shared, query[:, asking], key[:, asked].mT, alpha=scale)
            torch.softmax(plain, -1, out=weights[0])
            noisy = shared.baddbmm_(noisy_query[:, asking], noisy_key[:, asked].mT, alpha=scale)
            torch.softmax(noisy, -1, out=weights[1])
            kept = kept_bytes(weights, p).to(weights.dtype).mul_(weights) if p else weights
            contexts[:, asking] = torch.bmm(torch.add(*kept, out=plain), value[:, asked])
            saved += [weights, kept]
        ctx.save_for_backward(parts, noisy_query, noisy_key, *saved)
        ctx.causal, ctx.first, ctx.kept_scale = causal, first, kept_scale(p)
        return contexts.mul_(ctx.kept_scale)

    @staticmethod
    @torch.autocast("cpu", enabled=False)  # a step calls for it under its own autocast
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        parts, noisy_query, noisy_key, *saved = ctx.saved_tensors
        query, key, value, penalty_query, penalty_key = parts.unbind(0)
        _, length, width = value.shape
        found, of_contexts = torch.zeros_like(parts), grad[0] * ctx.kept_scale
        of_query, of_key, of_value, of_penalty_query, of_penalty_key = found.unbind(0)
        kept_weights = zip(_blocks(ctx.first, length, ctx.causal), saved[::2], saved[1::2], strict=True)
        for (asking, asked), weights, kept in kept_weights:
            of_context = of_contexts[:, asking]
            of_value[:, asked] += torch.bmm((kept[0] + kept[1]).mT, of_context)
            of_scores = kept * torch.bmm(of_context, value[:, asked].mT)
            of_scores.addcmul_(weights, of_scores.sum(-1, keepdim=True), value=-1)
            plain, noisy = of_scores
            of_query[:, asking] = torch.bmm(plain, key[:, asked]).baddbmm_(noisy, noisy_key[:, asked])
            of_key[:, asked] += torch.bmm(plain.mT, query[:, asking]).baddbmm_(noisy.mT, noisy_query[:, asking])
            both = plain.add_(noisy)
            of_penalty_query[:, asking] = torch.bmm(both, penalty_key[:, asked])
            of_penalty_key[:, asked] += torch.bmm(both.mT, penalty_query[:, asking])
        scale = width**-0.5
        found[:2].mul_(scale)
        found[3:].mul_(-scale)
        return found, None, None, None, None, None, None
