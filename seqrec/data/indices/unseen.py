"""Unseen: the items that a user has not interacted with in training, numbered 0, 1, ... for each user.

A uniform negative is a uniform number below the user's count, without rejection and without a table of users x items.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seqrec.data.sequences import Sequences


@dataclass(frozen=True)
class Unseen:
    """For each user all items outside of the training part (all but the last two interactions), ascending.

    Attributes:
        num_items: I.
        count: ``(U,)`` int64, unseen items a user.
        first: ``(U,)`` int64, where the seen items of a user start in ``before``.
        before: ``(n,)`` int64, ascending: for each distinct seen item of a user how many unseen ones are
            smaller, plus ``user * (I + 1)``.
    """

    num_items: int
    count: Tensor
    first: Tensor
    before: Tensor

    @classmethod
    def of(cls, sequences: Sequences) -> Unseen:
        """The unseen items of all users of a data set.

        Raises:
            ValueError: a user has seen all items.
        """
        users, num_items = sequences.num_users, sequences.num_items
        training = sequences.training_mask()
        pair = torch.unique(sequences.owner[training] * (num_items + 1) + sequences.items[training])
        owner, item = pair // (num_items + 1), pair % (num_items + 1)
        seen = torch.bincount(owner, minlength=users)
        if bool((seen == num_items).any()):
            user = sequences.user_ids[int((seen == num_items).nonzero()[0])]
            raise ValueError(
                f"user {user} has all {num_items} items in training, so there is no negative to draw; leave out such "
                "users or choose a model that needs no negatives"
            )
        first = seen.cumsum(0) - seen
        rank = torch.arange(len(pair)) - first[owner]
        return cls(num_items, num_items - seen, first, owner * (num_items + 1) + item - 1 - rank)

    def to(self, device: torch.device) -> Unseen:
        """The same on a device."""
        return Unseen(self.num_items, self.count.to(device), self.first.to(device), self.before.to(device))

    def items(self, user: Tensor, number: Tensor) -> Tensor:
        """Items ``(B, K)`` of users ``(B,)`` by number ``(B, K)``, each at least 0 and below the user's count."""
        # The unseen item with number n is n + 1 plus the seen items below it: those with at most n unseen ones before
        # them. `before` ascends over all users, so one binary search finds their number for every user at once.
        smaller_seen = torch.searchsorted(self.before, user[:, None] * (self.num_items + 1) + number, right=True)
        return number + 1 + smaller_seen - self.first[user][:, None]
