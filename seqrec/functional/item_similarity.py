"""The most similar item of each item: by the users they share, and by their vectors (CoSeRec, sections 4.1, 4.2).

Shapes: U users, V = I + 2 rows of an item table; row 0 is padding, the last one the mask token.
Source: Liu et al., Contrastive Self-supervised Sequential Recommendation with Robust Augmentation, 2021, in the
final form of the released code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from seqrec.functional.keyed_random import integers

BLOCK_ELEMENTS = 1 << 22  # similarities in memory at a time: 16 MB, and an input of that size
TINY = 1e-12

UserWeight = Callable[[Tensor], Tensor]
"""Weight ``(U,)`` of users by their number of distinct items ``(U,)``."""


class Similar(NamedTuple):
    """The best neighbour of each item.

    Attributes:
        item: ``(V,)`` int64, 0 where there is none.
        score: ``(V,)`` its similarity, scaled so that 0 and 1 are the least and the largest of all; 0 without one.
    """

    item: Tensor
    score: Tensor


def equal(count: Tensor) -> Tensor:
    """Each user has weight 1 (ItemCF)."""
    return torch.ones(len(count), device=count.device)


def inverse_log(count: Tensor) -> Tensor:
    """``1 / ln(1 + n)``: users of many items weigh less (ItemCF_IUF)."""
    return 1 / torch.log1p(count.float()).clamp(min=TINY)


def shared_users(user: Tensor, item: Tensor, rows: int, weight: UserWeight) -> Iterator[Tensor]:
    """``sim_ij = sum of w_u over users of both / sqrt(|U_i| |U_j|)``, 0 for j = i, in blocks ``(V, c)`` of columns i.

    Args:
        user, item: ``(n,)`` who has what; repeated pairs count once.
        rows: V.
        weight: w.
    """
    users = int(user.max()) + 1 if len(user) else 1
    pair = torch.unique(item * users + user)  # by item
    item, user = pair // users, pair % users
    degree = torch.bincount(item, minlength=rows)
    of_user = weight(torch.bincount(user, minlength=users))
    shares = torch.sparse_coo_tensor(
        torch.stack([item, user]), of_user[user], (rows, users), is_coalesced=True, check_invariants=False
    )
    norm = degree.clamp(min=1).float().rsqrt()
    first = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    size = max(1, BLOCK_ELEMENTS // max(users, rows))
    for column in range(0, rows, size):
        stop = min(column + size, rows)
        cells = slice(int(first[column]), int(first[stop]))
        has = of_user.new_zeros(users, stop - column)
        has[user[cells], item[cells] - column] = 1
        block = (shares @ has) * norm[:, None] * norm[column:stop]
        block[torch.arange(column, stop), torch.arange(stop - column)] = 0
        yield block


def most_similar_by_users(user: Tensor, item: Tensor, rows: int, weight: UserWeight) -> Similar:
    """Best neighbours by :func:`shared_users`, scaled over all pairs that share a user."""
    scores, found, least = [], [], torch.tensor(torch.inf)
    for block in shared_users(user, item, rows, weight):
        score, best = block.max(0)
        least = torch.minimum(least, block.masked_fill(block <= 0, torch.inf).min())
        scores.append(score)
        found.append(best)
    score, known = torch.cat(scores), torch.cat(scores) > 0
    scaled = (score - least) / (score.max() - least).clamp(min=TINY)
    return Similar(torch.cat(found) * known, torch.where(known, scaled, 0.0))


def most_similar_by_vectors(table: Tensor) -> Similar:
    """Best neighbours by dot products of vectors ``(V, D)``.

    As released, the padding row and the mask token are neighbours like any other, and the scale takes in the
    products of items with themselves. Padding has none: its entry is 0.
    """
    rows = len(table)
    scores, found = [torch.zeros_like(table[:1, 0])], [torch.zeros(1, dtype=torch.int64, device=table.device)]
    least, largest = torch.full_like(scores[0][0], torch.inf), torch.full_like(scores[0][0], -torch.inf)
    for part in torch.arange(1, rows, device=table.device).split(max(1, BLOCK_ELEMENTS // rows)):
        products = table[part] @ table.T
        least, largest = torch.minimum(least, products.min()), torch.maximum(largest, products.max())
        score, best = products.scatter_(1, part[:, None], -torch.inf).max(1)
        scores.append(score)
        found.append(best)
    scaled = (torch.cat(scores) - least) / (largest - least).clamp(min=TINY)
    scaled[0] = 0
    return Similar(torch.cat(found), scaled)


def better(first: Similar, second: Similar) -> Similar:
    """For each item the neighbour with the larger score, the first one where they are equal (CoSeRec, eq. 9)."""
    chosen = first.score >= second.score
    return Similar(
        torch.where(chosen, first.item, second.item),
        torch.where(chosen, first.score, second.score),
    )


def with_random_neighbours(similar: Similar, rng_keys: Tensor) -> Similar:
    """Items without a neighbour get a random one among those that have one, by their rng_keys ``(V,)``, score 0."""
    known = similar.item.nonzero().flatten()
    if not len(known):
        known = torch.arange(1, len(rng_keys) - 1, device=rng_keys.device)
    drawn = known[integers(rng_keys, 1, len(known))[:, 0]]
    return Similar(torch.where(similar.item == 0, drawn, similar.item), similar.score)
