"""Item attributes, such as categories, brands and genres: a file of them, and their numbering.

Readers give ``{item id of the source: names of its attributes}``; :func:`numbered` makes a tensor of that.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from seqrec.data.errors import DataError
from seqrec.data.readers.files import text

logger = logging.getLogger(__name__)

ItemAttributes = Mapping[str, Sequence[str]]
"""Names of the attributes of each item, by the item's id in the source."""

_FORM = '{"item": ["attribute", ...], ...}'


def read_item_attributes(path: Path) -> ItemAttributes:
    """Read one JSON object, ``{"item id": [attribute, ...], ...}``; attributes are words or whole numbers.

    Args:
        path: the file, plain or ``.gz``; the item ids are those of the interactions.

    Raises:
        DataError: not such an object, an item that occurs twice, an attribute that is neither word nor number.
    """
    content = text(path)
    try:
        pairs: Any = json.loads(content, object_pairs_hook=list)
    except ValueError as error:
        raise DataError(f"{path}: not a JSON object {_FORM} ({error})") from error
    if not content.lstrip().startswith(b"{"):
        raise DataError(f"{path}: a JSON {type(pairs).__name__} where one object {_FORM} is expected")
    found: dict[str, list[str]] = {}
    for item, names in pairs:
        if item in found:
            raise DataError(f"{path}: item `{item}` occurs twice; list all of its attributes once")
        if not isinstance(names, list):
            raise DataError(f"{path}: item `{item}` has `{names}`, which is not a list; the format is {_FORM}")
        for name in names:
            if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
                raise DataError(f"{path}: item `{item}` has attribute `{name!r}`; use a word or a whole number")
        found[item] = [str(name).strip() for name in names]
    return found


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
