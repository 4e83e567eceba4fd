"""Known histories and a log that came later: old numbers stay, new users and items are numbered behind them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import torch
from torch import Tensor

from seqrec.data.sequences import Sequences


def grown(old: Sequences, log: Sequences, min_user: int, min_item: int, seed: int) -> Sequences:
    """Append the histories of a log to those that are known; ids are compared as text.

    Users and items that are new get the next numbers: users in the order of the log, items in one drawn by the seed, so
    that a number says nothing about time. Old ones stay, with or without interactions in the log.

    Args:
        old: histories under the numbers that are to stay.
        log: what came later, oldest first for each user.
        min_user: interactions that a new user needs in the log, else they are left out.
        min_item: the same of a new item.
        seed: of the new items' order.

    Returns:
        Sequences without attributes.
    """
    user, item = _places(old.user_ids, log.user_ids), _places(old.item_ids, log.item_ids)
    owner, items = log.owner, log.items.long() - 1
    kept = _enough(owner, items, (user < 0, item < 0), (min_user, min_item))
    new_users = _present(owner[kept], user < 0)
    new_items = _present(items[kept], item < 0)
    drawn = torch.randperm(len(new_items), generator=torch.Generator().manual_seed(seed))
    user[new_users] = old.num_users + torch.arange(len(new_users))
    item[new_items[drawn]] = old.num_items + torch.arange(len(new_items))
    owners = torch.cat([old.owner, user[owner[kept]]])
    order = torch.argsort(owners, stable=True)
    count = torch.bincount(owners, minlength=old.num_users + len(new_users))
    left_out = {"interactions of users or items that are too rare": {"rows": int((~kept).sum())}}
    return Sequences(
        items=torch.cat([old.items.long(), item[items[kept]] + 1])[order].int(),
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), count.cumsum(0)]),
        user_ids=joined(old.user_ids, log.user_ids.gather(pl.Series(new_users.numpy()))),
        item_ids=joined(old.item_ids, log.item_ids.gather(pl.Series(new_items[drawn].numpy()))),
        source_order=torch.cat([old.source_order, old.num_items + 1 + drawn]),
        dropped={} if kept.all() else left_out,
    )


def repeats(old: Sequences, log: Sequences) -> bool:
    """Whether a log begins as the known histories do, so that it holds them once more: for most users of both."""
    user, item = _places(old.user_ids, log.user_ids), _places(old.item_ids, log.item_ids)
    shared = torch.nonzero((user >= 0) & (log.lengths > 0)).flatten()
    shared = shared[old.lengths[user[shared]] > 0]
    if not len(shared):
        return False
    first = item[log.items[log.offsets[shared]].long() - 1] + 1
    length = torch.minimum(log.lengths[shared], old.lengths[user[shared]])
    last = item[log.items[log.offsets[shared] + length - 1].long() - 1] + 1
    known = old.offsets[user[shared]]
    same = (first == old.items[known]) & (last == old.items[known + length - 1])
    return float(same.float().mean()) > 0.5


def without_histories(sequences: Sequences) -> Sequences:
    """The same users and items without an interaction: what remains of a log that is given anew as a whole."""
    nothing = torch.zeros(sequences.num_users + 1, dtype=torch.int64)
    return replace(sequences, items=torch.zeros(0, dtype=torch.int32), offsets=nothing)


def joined(old: pl.Series, new: pl.Series) -> pl.Series:
    """Ids behind one another; where their types differ all become text."""
    if old.dtype == new.dtype or not len(new):
        return pl.concat([old, new.cast(old.dtype)])
    if not len(old):
        return new.alias(old.name)
    if old.dtype.is_integer() and new.dtype.is_integer():
        return pl.concat([old.cast(pl.Int64), new.cast(pl.Int64)])
    return pl.concat([old.cast(pl.String), new.cast(pl.String)])


def _places(known: pl.Series, asked: pl.Series) -> Tensor:
    """Place ``(N,)`` of each asked id among the known ones, -1 where there is none."""
    place = {text: number for number, text in enumerate(known.cast(pl.String).to_list())}
    return torch.tensor([place.get(text, -1) for text in asked.cast(pl.String).to_list()], dtype=torch.int64)


def _enough(owner: Tensor, items: Tensor, new: tuple[Tensor, Tensor], least: tuple[int, int]) -> Tensor:
    """Which interactions ``(nnz,)`` are left when new users and items that are too rare go, until none is."""
    kept = torch.ones(len(owner), dtype=torch.bool)
    while True:
        rare = torch.zeros(len(owner), dtype=torch.bool)
        for who, is_new, enough in zip((owner, items), new, least, strict=True):
            count = torch.bincount(who[kept], minlength=len(is_new))
            rare |= (is_new & (count < enough))[who]
        if not (kept & rare).any():
            return kept
        kept &= ~rare


def _present(numbers: Tensor, chosen: Tensor) -> Tensor:
    """The chosen ones among some numbers, each once, ascending."""
    there = torch.zeros(len(chosen), dtype=torch.bool)
    there[numbers] = True
    return torch.nonzero(there & chosen).flatten()
