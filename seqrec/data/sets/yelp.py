"""Yelp Open Dataset: the reviews of a period, by default those of 2019, as cut by S3-Rec (Zhou et al., CIKM 2020).

Terms: Yelp's agreement, which is accepted at the download from yelp.com/dataset; it is for academic use and forbids
passing the data on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.dropped import Dropped, note
from seqrec.data.errors import DataError
from seqrec.data.filters import Filters
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.item_attributes import ItemAttributes, read_item_attributes
from seqrec.data.readers.metadata import read_yelp
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.readers.times import epoch_microseconds
from seqrec.data.sequences import Sequences
from seqrec.data.sets.source import Folders, Source

_RAW = ("", "raw/yelp")
_SEQUENCES = Source(["Yelp.txt"], ["sequences", ""])
_REVIEWS = Source(["yelp_academic_dataset_review.json"], _RAW)
_PREPARED = Source(["Yelp_item2attributes.json"], ["attributes", ""])
_BUSINESSES = Source(["yelp_academic_dataset_business.json"], _RAW)
_FIRST, _LAST = "2019-01-01 00:00:00", "2019-12-31 00:00:00"
_CORE = 5


class Yelp(SequenceDataModule):
    """Yelp reviews from ``first`` to ``last``: all stars, 5-core, repeat visits are kept.

    The source is the first that exists of ``<root>[/sequences]/Yelp.txt`` and
    ``<root>[/raw/yelp]/yelp_academic_dataset_review.json``, each also ``.gz``. It cannot be downloaded: the
    terms of use must be accepted first. The published counts (30,431 users, 20,033 items, 316,354
    interactions) are those of the release of early 2020 from 2019-01-01 to 2019-12-31, midnight; later releases give
    others. A sequence file is one of that period, so another one needs the reviews.

    Attributes of the businesses, their categories, come with a sequence file from
    ``<root>[/attributes]/Yelp_item2attributes.json``, with reviews from
    ``<root>[/raw/yelp]/yelp_academic_dataset_business.json``; each also ``.gz``.

    Args:
        root: folder that holds the data.
        first, last: ISO dates of the earliest and the latest review, both included; UTC, a date alone is its midnight.
        min_rating: least number of stars of a review that is kept; it, and splits by time, need the reviews.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: a date that is none, or no time between both; later, no file under ``root``, or a damaged one.
    """

    attribute_advice = (
        f"put {_BUSINESSES.files[0]} beside {_REVIEWS.files[0]} (for {_SEQUENCES.files[0]}, whose items have other "
        f"ids, {_PREPARED.files[0]} into data.root)"
    )

    def __init__(
        self,
        root: str | None,
        first: str = _FIRST,
        last: str = _LAST,
        min_rating: float | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.filters = Filters(min_rating)
        self.first, self.last, self.period = first, last, _period(first, last)
        self.folders = Folders(root, self.cache_dir / "downloads")

    def source(self) -> Path:
        """The sequence file or the file of reviews."""
        of_2019 = self.period == _period(_FIRST, _LAST)
        prepared_will_do = of_2019 and not self.filters and not self.split.key
        found = self.folders.locate(*([_SEQUENCES, _REVIEWS] if prepared_will_do else [_REVIEWS]))
        if found is not None:
            return found
        prepared = f"a prepared {_SEQUENCES.files[0]} is read as well"
        raise DataError(
            "Yelp cannot be downloaded (its terms must be accepted): get the data set of yelp.com/dataset (the release "
            f"of early 2020 gives the published counts) and put {_REVIEWS.files[0]} into "
            f"{self.folders.root or 'a folder that data.root names'}; the reviews of {self.first}..{self.last} are "
            f"used; {prepared if of_2019 else f'{prepared} for those of 2019 only'}."
        )

    def read(self, source: Path) -> Sequences:
        """A sequence file as it is; reviews by the rule above."""
        if _SEQUENCES.is_at(source):
            return read_sequence_file(source)
        columns: dict[str, str | None] = {"user": "user_id", "item": "business_id", "time": "date"}
        table = read_table(source, self.filters.columns(columns, "stars"))
        kept = table.filter(pl.col("time").is_between(*self.period))
        if kept.is_empty():
            raise DataError(f"{source}: no review between {self.first} and {self.last} among {len(table)}")
        dropped: Dropped = {}
        note(dropped, f"outside {self.first[:10]}..{self.last[:10]}", table, kept)
        kept = self.filters.of(kept, source, dropped)
        return to_sequences(kept, source, _CORE, _CORE, numbering="first_seen", dropped=dropped, keep=self.split.key)

    def attribute_files(self, source: Path) -> Sequence[Path]:
        """The prepared attributes for a sequence file, the file of businesses for reviews."""
        return self.folders.find_all(_PREPARED if _SEQUENCES.is_at(source) else _BUSINESSES)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Categories."""
        if _BUSINESSES.is_at(files[0]):
            return read_yelp(files[0], set(sequences.item_ids.to_list()))
        return read_item_attributes(files[0])

    def recipe(self) -> dict[str, Any]:
        """Cut, thresholds and filters."""
        options = {"reader": "yelp", "first": self.first, "last": self.last, "min_user": _CORE, "min_item": _CORE}
        return options | self.filters.recipe()


def _period(first: str, last: str) -> tuple[int, int]:
    """Both dates in microseconds since 1970."""
    start, end = epoch_microseconds(pl.Series([first, last], dtype=pl.String))
    for name, text, time in (("first", first, start), ("last", last, end)):
        if time is None:
            raise DataError(f"data.{name}={text!r} is no date; write one such as '{_FIRST}' or {_FIRST[:10]}")
    if start > end:
        raise DataError(f"data.first={first!r} is after data.last={last!r}; no review is between them")
    return start, end
