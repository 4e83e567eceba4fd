"""The attributes of items, such as categories, brands and genres, as numbers in a tensor."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqrec.data.errors import DataError
from seqrec.data.readers.item_attributes import ItemAttributes

logger = logging.getLogger(__name__)


def numbered(attributes: ItemAttributes, item_ids: pl.Series, path: Path) -> Tensor:
    """Number attributes by first appearance among the items of the catalogue.

    Args:
        attributes: of items in the order of their file; those of other items are left out.
        item_ids: ``(I,)``, ids in the source.
        path: the file, for messages.

    Returns:
        ``(I, A)`` int32, ids ``1..T`` of each item's attributes, each once, then 0.

    Raises:
        DataError: no item of the catalogue has an attribute.
    """
    place = {str(raw): row for row, raw in enumerate(item_ids.to_list())}
    number: dict[str, int] = {}
    rows: list[list[int]] = [[] for _ in place]
    for item, names in attributes.items():
        if item in place:
            rows[place[item]] = [number.setdefault(name, len(number) + 1) for name in dict.fromkeys(names)]
    if not number:
        raise DataError(
            f"{path}: none of the {len(place)} items of the interactions has an attribute there; its keys must be item "
            f"ids such as `{next(iter(place))}`, but are such as `{next(iter(attributes), '')}`"
        )
    count = np.array([len(row) for row in rows])
    if (count == 0).any():
        logger.warning("%s: %d of %d items have no attributes", path, (count == 0).sum(), len(count))
    table = np.zeros((len(rows), count.max()), dtype=np.int32)
    table[np.arange(count.max()) < count[:, None]] = np.concatenate([np.array(row, dtype=np.int32) for row in rows])
    return torch.from_numpy(table)


def extended(old: Tensor, attributes: ItemAttributes, item_ids: pl.Series, path: Path) -> Tensor:
    """Attributes of a catalogue that has grown, under the numbers that the old items' have.

    The numbers are found again by the old items, whose attributes must be what they were. An attribute that no old
    item has is left out: nothing was learned of it.

    Args:
        old: ``(I, A)``, of the first items; 0 where one has fewer than A.
        attributes: of old and new items.
        item_ids: ``(I',)``, ids in the source.
        path: the file, for messages.

    Raises:
        DataError: an old item has others than before.
    """
    number: dict[str, int] = {}
    ids = [str(raw) for raw in item_ids.to_list()]
    for raw, row in zip(ids, old.tolist(), strict=False):
        names, numbers = list(dict.fromkeys(attributes.get(raw, ()))), [one for one in row if one]
        same = len(names) == len(numbers)
        if not same or any(number.setdefault(name, one) != one for name, one in zip(names, numbers, strict=True)):
            raise DataError(
                f"{path}: the attributes of item `{raw}` are not those that the run was trained with; give the old "
                "items as they were, and the new ones beside them"
            )
    rows = [[number[name] for name in dict.fromkeys(attributes.get(raw, ())) if name in number] for raw in ids]
    table = torch.zeros(len(ids), max(old.shape[1], *map(len, rows)), dtype=old.dtype)
    for place, row in enumerate(rows):
        table[place, : len(row)] = torch.tensor(row, dtype=old.dtype)
    return table
