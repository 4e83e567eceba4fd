"""What the originals say about items: categories and brands (Amazon), categories (Yelp), genres (MovieLens).

As in S3-Rec (Zhou et al., CIKM 2020): all attributes count, however rare.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from seqrec.data.errors import DataError
from seqrec.data.readers.files import opened, text_blocks
from seqrec.data.readers.item_attributes import ItemAttributes

_ASIN = re.compile(rb"""['"]asin['"]:\s*['"](\w+)['"]""")
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


def read_amazon(path: Path, wanted: Collection[str]) -> ItemAttributes:
    """Brand, and each category of each path but the path's root, of products in a file of Python literals.

    Args:
        path: ``meta_<category>.json``, plain or ``.gz``: one dict literal a line, parsed and never evaluated.
        wanted: product numbers to read.

    Raises:
        DataError: a line without product number, or one of a wanted product that is no such literal.
    """
    found: dict[str, list[str]] = {}
    for number, line in _lines(path):
        product = _ASIN.search(line)
        if product is None:
            raise DataError(f"{path}: line {number}, no product number ('asin': '...')")
        asin = product[1].decode()
        if asin not in wanted:
            continue
        try:
            about: Any = ast.literal_eval(line.decode())
            names = [str(about["brand"])] if about.get("brand") else []
            names += [str(name) for steps in about.get("categories") or [] for name in steps[1:]]
        except (ValueError, SyntaxError, AttributeError, TypeError) as error:
            raise DataError(
                f"{path}: line {number}, product `{asin}`: not a literal of its metadata ({error})"
            ) from error
        found[asin] = names
    return found


def read_yelp(path: Path, wanted: Collection[str]) -> ItemAttributes:
    """Categories of businesses, which stand between commas.

    Args:
        path: ``yelp_academic_dataset_business.json``, plain or ``.gz``: one JSON object a line.
        wanted: business ids to read.

    Raises:
        DataError: a line that is no such object.
    """
    found: dict[str, list[str]] = {}
    for number, line in _lines(path):
        try:
            about = json.loads(line)
            business, categories = about["business_id"], about["categories"] or ""
            if business in wanted:
                found[business] = [name.strip() for name in categories.split(",") if name.strip()]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"{path}: line {number}, not a JSON object with business_id and categories ({error})"
            ) from error
    return found


def read_genres(path: Path) -> ItemAttributes:
    """Genres of films.

    Args:
        path: ``movies.dat`` of MovieLens 1M (``id::title::genre|genre``) or ``u.item`` of 100K (``id|title|...``, then
            19 flags), both in ISO-8859-1; also ``.gz``. The flag "unknown" is no genre.

    Raises:
        DataError: a line of another form.
    """
    flags = path.name.startswith("u.item")
    with opened(path) as handle:
        lines = handle.read().decode("latin-1").split("\n")
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        if not line:
            continue
        fields = line.split("|") if flags else line.split("::")
        if len(fields) < (5 + len(_GENRES) if flags else 3) or not fields[0].isdigit():
            form = "id|title|date|date|link|19 flags" if flags else "id::title::genre|genre"
            raise DataError(f"{path}: line {number}, `{line[:60]}` is not {form}")
        if flags:
            marked = zip(_GENRES[1:], fields[-len(_GENRES) + 1 :], strict=True)
            found[fields[0]] = [genre for genre, flag in marked if flag == "1"]
        else:
            found[fields[0]] = [genre for genre in fields[-1].split("|") if genre]
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank and their numbers."""
    number = 0
    for piece in text_blocks(path):
        for line in piece.removesuffix(b"\n").split(b"\n"):
            number += 1
            if line.strip():
                yield number, line
