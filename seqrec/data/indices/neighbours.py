"""By whom a new item or user is known: weights over the old ones, from shared histories and shared attributes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqrec.data.sequences import Sequences

Weights = Sequence[Tensor]
"""A product of sparse matrices: the first has a row for each new one, the last a column for each old one."""


def item_neighbours(sequences: Sequences, old: int, window: int) -> Weights:
    """How often old items stand near each new one in training histories, ``(N, I)``.

    Args:
        sequences: whose items 1..I are old, the others new.
        old: I.
        window: most positions between two neighbours.
    """
    training = sequences.training_mask()
    items, owner = sequences.items[training].long(), sequences.owner[training]
    pairs = []
    for distance in range(1, window + 1):
        one, other = items[:-distance], items[distance:]
        together = owner[:-distance] == owner[distance:]
        for new, known in ((one, other), (other, one)):
            pairs.append(torch.stack([new, known])[:, together & (new > old) & (known <= old)])
    new, known = torch.cat(pairs, dim=1)
    return [_counted(new - old - 1, known - 1, sequences.num_items - old, old)]


def attribute_neighbours(sequences: Sequences, old: int) -> Weights:
    """Which old items have attributes of each new one: its attributes, ``(N, T + 1)``, and whose they are."""
    table = sequences.attributes
    if table is None:
        return []
    item, column = torch.nonzero(table, as_tuple=True)
    attribute, kinds = table[item, column].long(), int(table.max()) + 1
    of_new = item >= old
    return [
        _counted(item[of_new] - old, attribute[of_new], sequences.num_items - old, kinds),
        _shares(attribute[~of_new], item[~of_new], kinds, old),
    ]


def user_neighbours(sequences: Sequences, old: int) -> Weights:
    """Which old users have a new one's training items: those items, ``(N, I)``, and who has them, ``(I, U)``.

    Args:
        sequences: whose first users are old.
        old: how many.
    """
    training = sequences.training_mask()
    item, owner = sequences.items[training].long() - 1, sequences.owner[training]
    of_new = owner >= old
    return [
        _counted(owner[of_new] - old, item[of_new], sequences.num_users - old, sequences.num_items),
        _shares(item[~of_new], owner[~of_new], sequences.num_items, old),
    ]


def _counted(row: Tensor, column: Tensor, rows: int, columns: int) -> Tensor:
    """A sparse matrix ``(rows, columns)`` of how often each pair occurs."""
    ones = torch.ones(len(row))
    return torch.sparse_coo_tensor(torch.stack([row, column]), ones, (rows, columns), check_invariants=False).coalesce()


def _shares(row: Tensor, column: Tensor, rows: int, columns: int) -> Tensor:
    """As :func:`_counted`, but each row with entries sums to 1."""
    counted = _counted(row, column, rows, columns)
    total = torch.zeros(rows).index_add_(0, counted.indices()[0], counted.values())
    values = counted.values() / total[counted.indices()[0]]
    return torch.sparse_coo_tensor(counted.indices(), values, counted.shape, check_invariants=False).coalesce()
