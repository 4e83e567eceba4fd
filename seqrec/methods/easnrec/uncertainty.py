"""UncertaintyAttention: dot-product attention with a learnt penalty and a second, noisy branch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.functional.precision import at_least_float
from seqrec.methods.easnrec.blocks import block_attention
from seqrec.methods.easnrec.branches import branches, joined
from seqrec.nn.attention import PAIRS, Projection, SelfAttention, biased_scores, visible
from seqrec.nn.dropout import dropout
from seqrec.nn.packing import WIDE, Packing

CLOSE = 1.2  # between the longest and the shortest history of a group, at most, where all pairs of positions are made


class UncertaintyAttention(SelfAttention):
    """The sum of two attentions over the same values, one of them with noisy queries and keys.

    Source: Zhang et al., Enhanced Adversarial Sequential Recommendation Fused with Siamese Networks for Edge
    Environments (EASNRec), 2026, eqs. (18)-(20). The weights of a position sum to 2, in evaluation too: there
    is no noise then, so one branch is computed and doubled.

    Args:
        dim: width D.
        num_heads: heads H; they must divide D.
        dropout: probability of dropping an attention weight, drawn for each branch.
        causal: a query sees itself and what is older; otherwise all valid positions.
        noise_std: sigma of the noise on projected queries and keys, in training only.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float, causal: bool, noise_std: float) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim is {dim}, which {num_heads} heads do not divide; choose a multiple of num_heads")
        if noise_std < 0:
            raise ValueError(f"noise_std is {noise_std}; it is a standard deviation, so give 0 or more")
        self.dim, self.num_heads, self.dropout, self.causal = dim, num_heads, dropout, causal
        self.noise_std = noise_std
        self.projection = Projection(dim, 5)  # query, key, value, penalty query, penalty key

    def noise(self, like: Tensor) -> Tensor:
        """Fresh noise for queries or keys ``(B, H, L, D / H)``, sigma included."""
        if like.is_cuda:
            return torch.empty_like(like).normal_(std=self.noise_std)
        return torch.randn_like(like).mul_(self.noise_std)

    def forward(self, tokens: Tensor, packing: Packing, newest: bool = False) -> Tensor:
        """See :meth:`SelfAttention.forward`; training needs the noise of all positions, whichever are asked for."""
        if newest:
            return (
                self._all(tokens, packing).index_select(0, packing.newest)
                if self.training
                else self._newest(tokens, packing)
            )
        return self._all(tokens, packing)

    def _all(self, tokens: Tensor, packing: Packing) -> Tensor:
        projected = self.projection(tokens)
        if not self.training:
            return packing.by_length(self.attend_clean, projected)
        return packing.by_length(self.attend_fused if tokens.is_cuda else self.attend_both, projected, PAIRS, CLOSE)

    def at(self, tokens: Tensor, packing: Packing, places: Tensor) -> Tensor:
        """See :meth:`SelfAttention.at`; queries before the first that a group of histories asks for are left out."""
        if not self.training or tokens.is_cuda or packing.valid.shape[1] <= WIDE:
            return super().at(tokens, packing, places)
        first: list[int] = []

        def look(asked: Tensor, valid: Tensor) -> Tensor:
            first.append(int(asked.any(0).int().argmax()))
            return asked

        asked = places.new_zeros(len(tokens), dtype=torch.bool).index_fill(0, places, True)
        packing.by_length(look, asked, PAIRS, CLOSE)
        following = iter(first)
        contexts = packing.by_length(
            lambda projected, valid: self.attend_both(projected, valid, next(following)),
            self.projection(tokens), PAIRS, CLOSE,
        )  # fmt: skip
        return contexts.index_select(0, places)

    def _newest(self, tokens: Tensor, packing: Packing) -> Tensor:
        query, projected = (
            self.projection(tokens.index_select(0, packing.newest), [0, 3]),
            self.projection(tokens, [1, 2, 4]),
        )
        return packing.newest_by_length(self.attend_newest, query, projected)

    def attend_both(self, projected: Tensor, valid: Tensor, first: int = 0) -> Tensor:
        """:meth:`attend_in_blocks` where that is worth it, else :meth:`attend_twice`, of all queries."""
        if valid.shape[1] <= WIDE or torch.compiler.is_compiling():
            return self.attend_twice(projected, valid)
        return self.attend_in_blocks(projected, valid, first)

    def attend_twice(self, projected: Tensor, valid: Tensor) -> Tensor:
        """Contexts ``(B, L, D)`` of (20), of projections ``(B, L, 5 * D)``."""
        query, key, value, penalty_query, penalty_key = self.split_heads(projected)
        # The penalty (18) and the mask are the same in both branches.
        bias = biased_scores(visible(valid, self.causal, query), penalty_query, penalty_key, -1.0)
        weights = self._weights(biased_scores(bias, query, key, 1.0))
        query, key = query + self.noise(query), key + self.noise(key)
        weights = weights + self._weights(biased_scores(bias, query, key, 1.0))
        context = (weights.to(value.dtype) @ value.flatten(0, 1)).view_as(value)
        return context.transpose(1, 2).flatten(2)

    def attend_in_blocks(self, projected: Tensor, valid: Tensor, first: int = 0) -> Tensor:
        """:meth:`attend_twice` by :func:`.block_attention`; contexts before the query ``first`` are zero."""
        parts = projected.unflatten(-1, (5, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (5, B, H, L, D / H)
        parts = parts.contiguous()
        with torch.autocast(projected.device.type, enabled=False):
            flat = at_least_float(parts.flatten(1, 2))
            noise = self.noise(parts[0]).flatten(0, 1), self.noise(parts[1]).flatten(0, 1)
            bias = None if self.causal or bool(valid.all()) else visible(valid, False, parts[0])
            context = block_attention(flat, noise, bias, self.causal, self.dropout, first)
        return context.to(parts.dtype).view_as(parts[0]).transpose(1, 2).flatten(2)

    def attend_fused(self, projected: Tensor, valid: Tensor) -> Tensor:
        """:meth:`attend_twice` in one call for both branches, which a GPU has and a CPU lacks with dropout."""
        parts = projected.unflatten(-1, (5, self.num_heads, -1))  # (B, L, 5, H, D / H)
        noise = self.noise(parts[:, :, :2].permute(2, 0, 3, 1, 4))  # (2, B, H, L, D / H)
        asking, asked, value = branches(parts, noise)
        context = F.scaled_dot_product_attention(
            asking, asked, value, None if self.causal else valid.repeat(2, 1)[:, None, None, :],
            self.dropout if self.training else 0.0, is_causal=self.causal, scale=value.shape[-1] ** -0.5,
        )  # fmt: skip
        return joined(context, self.num_heads)

    def attend_clean(self, projected: Tensor, valid: Tensor) -> Tensor:
        """Twice the context of one branch, ``(B, L, D)``, of projections ``(B, L, 5 * D)``."""
        query, key, value, penalty_query, penalty_key = self.split_heads(projected)
        mask = None if self.causal else valid[:, None, None, :]
        context = self._doubled(query, key, value, penalty_query, penalty_key, mask)
        return context.transpose(1, 2).flatten(2)

    def attend_newest(self, query: Tensor, projected: Tensor, valid: Tensor) -> Tensor:
        """Twice the context of one branch, ``(B, D)``, of queries ``(B, 2 * D)`` over ``(B, L, 3 * D)``."""
        asking, penalty_query = self.split_heads(query[:, None])
        key, value, penalty_key = self.split_heads(projected)
        return self._doubled(asking, key, value, penalty_query, penalty_key, valid[:, None, None, :]).flatten(1)

    def _doubled(
        self, query: Tensor, key: Tensor, value: Tensor, penalty_query: Tensor, penalty_key: Tensor, mask: Tensor | None
    ) -> Tensor:
        """``(B, H, Q, D / H)``; causal without a mask. (Q, -Q_p) (K, K_p)^T is the penalised score: one fused call."""
        return 2.0 * F.scaled_dot_product_attention(
            torch.cat([query, -penalty_query], -1), torch.cat([key, penalty_key], -1), value, mask,
            is_causal=mask is None, scale=query.shape[-1] ** -0.5,
        )  # fmt: skip

    def split_heads(self, projected: Tensor) -> tuple[Tensor, ...]:
        """``(B, L, n * D)`` -> n tensors ``(B, H, L, D / H)``."""
        parts = projected.unflatten(-1, (-1, self.num_heads, self.dim // self.num_heads))
        return parts.permute(2, 0, 3, 1, 4).contiguous().unbind(0)

    def _weights(self, scores: Tensor) -> Tensor:
        return dropout(torch.softmax(scores, dim=-1), self.dropout, True)
