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
