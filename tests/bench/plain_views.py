"""Views of one history at a time, as lists, as the public implementations of ICLRec and CoSeRec draw them."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor


def crop(history: list[int], ratio: float) -> list[int]:
    start, count, copied = stretch(history, ratio)
    return copied[start : start + count] if count else [copied[start]]


def reorder(history: list[int], ratio: float) -> list[int]:
    start, count, copied = stretch(history, ratio)
    part = copied[start : start + count]
    random.shuffle(part)
    return copied[:start] + part + copied[start + count :]


def mask(history: list[int], ratio: float) -> list[int]:
    copied = deepcopy(history)
    for place in random.sample(range(len(history)), int(ratio * len(history))):
        copied[place] = 0
    return copied


def insert(history: list[int], ratio: float, similar: Callable[[int], int]) -> list[int]:
    places = set(random.sample(range(len(history)), max(1, int(ratio * len(history)))))
    made: list[int] = []
    for place, item in enumerate(deepcopy(history)):
        made += [similar(item), item] if place in places else [item]
    return made


def substitute(history: list[int], ratio: float, similar: Callable[[int], int]) -> list[int]:
    copied = deepcopy(history)
    for place in random.sample(range(len(history)), max(1, int(ratio * len(history)))):
        copied[place] = similar(copied[place])
    return copied


def stretch(history: list[int], ratio: float) -> tuple[int, int, list[int]]:
    """Start and number of items of a random stretch, and a copy of the history."""
    count = int(ratio * len(history))
    return random.randint(0, max(0, len(history) - count - 1)), count, deepcopy(history)


class Similar:
    """The most similar item of one item: the better of a neighbour by users and the nearest vector."""

    def __init__(self, table: Tensor, by_users: list[tuple[int, float]]) -> None:
        self.table, self.by_users = table.detach(), by_users
        products = torch.mm(self.table, self.table[:2000].T)
        self.low, self.high = float(products.min()), float(products.max())

    def __call__(self, item: int) -> int:
        neighbour, score = self.by_users[item]
        products = torch.mv(self.table, self.table[item])
        values, found = products.topk(2)
        which = int(found[0] == item)
        nearest = (float(values[which]) - self.low) / (self.high - self.low)
        return neighbour if score > nearest else int(found[which])
