"""A file of item attributes, such as categories, brands and genres, and the form in which all readers return them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqrec.data.errors import DataError
from seqrec.data.readers.files import text

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
