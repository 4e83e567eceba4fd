"""Yelp Open Dataset: the reviews of 2019, as cut by S3-Rec (Zhou et al., CIKM 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from seqrec.data.attributes import ItemAttributes, read_item_attributes
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.errors import DataError
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.columns import epoch_microseconds
from seqrec.data.readers.files import find, is_text_of
from seqrec.data.readers.metadata import read_yelp
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences

_SEQUENCES = "Yelp.txt"
_REVIEWS = "yelp_academic_dataset_review.json"
_PREPARED = "Yelp_item2attributes.json"
_BUSINESSES = "yelp_academic_dataset_business.json"
_FIRST, _LAST = "2019-01-01 00:00:00", "2019-12-31 00:00:00"
_CORE = 5


class Yelp(SequenceDataModule):
    """Yelp reviews from 2019-01-01 to 2019-12-31 (midnight): all stars, 5-core, repeat visits are kept.

    The source is the first that exists of ``<root>[/sequences]/Yelp.txt`` and
    ``<root>[/raw/yelp]/yelp_academic_dataset_review.json``, each also ``.gz``. It cannot be downloaded: the
    terms of use must be accepted first. The published counts (30,431 users, 20,033 items, 316,354
    interactions) are those of the release of early 2020; later releases give others.

    Attributes of the businesses, their categories, come with a sequence file from
    ``<root>[/attributes]/Yelp_item2attributes.json``, with reviews from
    ``<root>[/raw/yelp]/yelp_academic_dataset_business.json``; each also ``.gz``.

    Args:
        root: folder that holds the data.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: later, no file under ``root``, or a damaged one.
    """

    attribute_advice = (
        f"put {_BUSINESSES} beside {_REVIEWS} (for {_SEQUENCES}, whose items have other ids, {_PREPARED} into "
        "data.root)"
    )

    def __init__(
        self,
        root: str | None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.root = root

    def source(self) -> Path:
        """The sequence file or the file of reviews."""
        names = [f"sequences/{_SEQUENCES}", _SEQUENCES, _REVIEWS, f"raw/yelp/{_REVIEWS}"]
        found = find(self.root, names)
        if found is not None:
            return found
        place = "a folder that data.root names" if self.root is None else self.root
        raise DataError(
            "Yelp cannot be downloaded (its terms must be accepted): get the data set of yelp.com/dataset "
            f"(the release of early 2020 gives the published counts) and put {_REVIEWS} into {place}; "
            f"the reviews of 2019-01-01..2019-12-31 are used. A prepared {_SEQUENCES} is read as well."
        )

    def read(self, source: Path | None) -> Sequences:
        """A sequence file as it is; reviews by the rule above."""
        assert source is not None
        if is_text_of(source, _SEQUENCES):
            return read_sequence_file(source)
        table = read_table(source, {"user": "user_id", "item": "business_id", "time": "date"})
        first, last = epoch_microseconds(pl.Series([_FIRST, _LAST]))
        kept = table.filter(pl.col("time").is_between(first, last))
        if kept.is_empty():
            raise DataError(f"{source}: no review between {_FIRST} and {_LAST} among {len(table)}")
        return to_sequences(kept, source, _CORE, _CORE, numbering="first_seen")

    def attribute_files(self, source: Path | None) -> Sequence[Path]:
        """The prepared attributes for a sequence file, the file of businesses for reviews."""
        assert source is not None
        if is_text_of(source, _SEQUENCES):
            found = find(self.root, [f"attributes/{_PREPARED}", _PREPARED])
        else:
            found = find(self.root, [_BUSINESSES, f"raw/yelp/{_BUSINESSES}"])
        return () if found is None else (found,)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Categories."""
        if is_text_of(files[0], _BUSINESSES):
            return read_yelp(files[0], set(sequences.item_ids.to_list()))
        return read_item_attributes(files[0])

    def recipe(self) -> dict[str, Any]:
        """Cut and thresholds."""
        return {"reader": "yelp", "first": _FIRST, "last": _LAST, "min_user": _CORE, "min_item": _CORE}
