"""Sequences: every user's items in one flat array (CSR), and the ids they had in the source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl
import torch
from torch import Tensor

from seqrec.data.dropped import Dropped

HELD_OUT = 2
"""Interactions at the end of each history that leave-one-out never trains on: the targets of validation and test."""


@dataclass(frozen=True)
class Sequences:
    """All histories, oldest item first, as a flat array with offsets.

    Attributes:
        items: ``(nnz,)`` int32, ids ``1..num_items``; 0 is padding and never occurs.
        offsets: ``(U + 1,)`` int64; user ``u`` owns ``items[offsets[u]:offsets[u + 1]]``.
        user_ids: ``(U,)`` ids of the users in the source.
        item_ids: ``(I,)`` ids of the items in the source; id ``i`` is ``item_ids[i - 1]``.
        source_order: ``(I,)`` int64, the number ``1..I`` that the source gives to each item (its id in a
            sequence file, its order of first appearance or of raw id in a log). Only tie rules of the
            parameter-free baselines may read it: it can leak order.
        attributes: ``(I, A)`` int32, attribute ids ``1..T`` of item ``i`` in row ``i - 1``, 0 where it has fewer
            than A; None where nothing is known about the items.
        dropped: what each step between the source and these histories left out.
        split_key: ``(nnz,)`` of any type that compares, by what the split goes: the time of each interaction, or the
            number of the file that it is from; None where it was not kept.
        trained: ``(U,)`` int64, how many of each user's interactions, the oldest ones, train; None in leave-one-out:
            all but the last two.
    """

    items: Tensor
    offsets: Tensor
    user_ids: pl.Series
    item_ids: pl.Series
    source_order: Tensor
    attributes: Tensor | None = None
    dropped: Dropped = field(default_factory=dict)
    split_key: Tensor | None = None
    trained: Tensor | None = None

    @property
    def num_users(self) -> int:
        """Number of users, U."""
        return len(self.offsets) - 1

    @property
    def num_items(self) -> int:
        """Number of items, I; padding and mask are not counted."""
        return len(self.item_ids)

    @property
    def num_interactions(self) -> int:
        """Number of interactions, nnz."""
        return len(self.items)

    @property
    def lengths(self) -> Tensor:
        """Items a user, ``(U,)`` int64."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def owner(self) -> Tensor:
        """The user of each interaction, ``(nnz,)`` int64 in ``0..U - 1``, ascending."""
        return torch.repeat_interleave(torch.arange(self.num_users), self.lengths)

    def training_end(self, held_out: int = HELD_OUT) -> Tensor:
        """Where in ``items`` the training part of each user ends, ``(U,)`` int64, exclusive.

        It lies before the user's first interaction where the user has fewer than ``held_out``.

        Args:
            held_out: see :meth:`training_mask`.
        """
        if self.trained is None:
            return self.offsets[1:] - held_out
        return self.offsets[:-1] + self.trained + (HELD_OUT - held_out)

    def training_mask(self, held_out: int = HELD_OUT) -> Tensor:
        """Which interactions are used for training, ``(nnz,)`` bool: all but the last ``held_out`` of each user.

        Args:
            held_out: 2 leaves out the targets of validation and test. 3 also leaves out the last training target,
                so that the mask covers what serves as input in training. In a split that is not leave-one-out, both
                count from the end of what trains as if two interactions followed.
        """
        return torch.arange(self.num_interactions) < self.training_end(held_out)[self.owner]

    def renumbered(self, seed: int) -> Sequences:
        """The same histories under item ids drawn by a seeded permutation.

        Ids by first appearance carry the order of consumption, test items included: recommending "the next
        ids" beats popularity several times. After this step an id says nothing.
        """
        new_id = 1 + torch.randperm(self.num_items, generator=torch.Generator().manual_seed(seed))
        order = torch.argsort(new_id)
        look_up = torch.cat([torch.zeros(1, dtype=torch.int32), new_id.to(torch.int32)])
        return replace(
            self,
            items=look_up.index_select(0, self.items),  # unlike brackets, without a copy of the items in 64 bits
            item_ids=self.item_ids.gather(pl.Series(order.numpy())),
            source_order=self.source_order[order],
            attributes=None if self.attributes is None else self.attributes[order],
        )

    def fault(self) -> str | None:
        """The first thing that contradicts the description of this class, None if all is well."""
        items, offsets, users, count = self.items, self.offsets, len(self.user_ids), self.num_items
        rules: dict[str, Callable[[], bool]] = {
            "items must be int32 of shape (nnz,)": lambda: items.dtype == torch.int32 and items.ndim == 1,
            "offsets must be int64 of shape (U + 1,)": lambda: (
                offsets.dtype == torch.int64 and tuple(offsets.shape) == (users + 1,)
            ),
            "offsets must rise from 0 to nnz": lambda: (
                int(offsets[0]) == 0 and int(offsets[-1]) == len(items) and bool((self.lengths >= 0).all())
            ),
            "items must be 1..I": lambda: not len(items) or (int(items.min()) >= 1 and int(items.max()) <= count),
            "no id of a user may occur twice in user_ids": lambda: self.user_ids.n_unique() == users,
            "no id of an item may occur twice in item_ids": lambda: self.item_ids.n_unique() == count,
            "source_order must hold each of 1..I once": lambda: torch.equal(
                self.source_order.sort().values, torch.arange(1, count + 1)
            ),
            "split_key must have a value for each interaction": lambda: (
                self.split_key is None or self.split_key.shape == items.shape
            ),
            "attributes must have a row for each item": lambda: (
                self.attributes is None or (self.attributes.ndim == 2 and len(self.attributes) == count)
            ),
        }
        return next((rule for rule, holds in rules.items() if not holds()), None)

    def digest(self) -> str:
        """SHA-256 of the histories under the source's numbering: the same for every renumbering seed."""
        source_item = torch.cat([torch.zeros(1, dtype=torch.int32), self.source_order.to(torch.int32)])
        content = hashlib.sha256(self.offsets.contiguous().numpy().data)
        content.update(source_item.index_select(0, self.items).numpy().data)
        return content.hexdigest()
