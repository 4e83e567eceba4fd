"""Amazon product reviews 1996-2014, 5-core files (McAuley et al., SIGIR 2015; He and McAuley, WWW 2016).

Terms: no licence is stated with the files; whoever uses them is asked to cite both papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.dropped import Dropped
from seqrec.data.filters import Filters
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.files import known
from seqrec.data.readers.item_attributes import ItemAttributes, read_item_attributes
from seqrec.data.readers.metadata import read_amazon
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences
from seqrec.data.sets.source import Folders, Source

_URL = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
_REVIEWS = {
    "Beauty": 198_502,
    "Sports_and_Outdoors": 296_337,
    "Toys_and_Games": 167_597,
    "Musical_Instruments": 10_261,
}
_FILES = ("{}_item2attributes.json", "reviews_{}_5.json", "meta_{}.json")
_RAW = ("", "raw/amazon")
_CORE = 5


class Amazon(SequenceDataModule):
    """Reviews of one category: all ratings, 5-core, ties in time in file order, ids by first appearance.

    Times are whole days, so most users have ties. The source is the first that exists of
    ``<root>[/sequences]/<category>.txt`` and ``<root>[/raw/amazon]/reviews_<category>_5.json``
    (also ``<category>_5.json``), each also ``.gz``, and the original, which is downloaded to
    ``<cache_dir>/downloads``.

    Attributes of the products, brand and categories, come with a sequence file from
    ``<root>[/attributes]/<category>_item2attributes.json``, with reviews from
    ``<root>[/raw/amazon]/meta_<category>.json`` or that file in the folder of downloads; each also ``.gz``.

    Args:
        category: ``Beauty``, ``Sports_and_Outdoors``, ``Toys_and_Games`` or ``Musical_Instruments``.
        root: folder that holds the data; None downloads it.
        min_rating: least rating of a review that is kept.
        first, last: ISO dates of the earliest and the latest review, both included. These three, and splits by time,
            need the file of reviews.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: unknown category; later, a ``root`` that is no folder, a failed download, a damaged file.
    """

    def __init__(
        self,
        category: str,
        root: str | None,
        min_rating: float | None = None,
        first: str | None = None,
        last: str | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.filters = Filters(min_rating, first, last)
        self.category = known("category", category, _REVIEWS)
        self.folders = Folders(root, self.cache_dir / "downloads")
        prepared, reviews, meta = (form.format(category) for form in _FILES)
        url, lines = f"{_URL}{reviews}.gz", _REVIEWS[category]
        self.sequence_file = Source([f"{category}.txt"], ["sequences", ""])
        self.reviews = Source([reviews, f"{category}_5.json"], _RAW, url=url, lines=lines)
        self.prepared_attributes = Source([prepared], ["attributes", ""])
        self.metadata = Source([meta], _RAW)
        self.attribute_advice = (
            f"put {_URL}{meta}.gz into data.root or into {self.folders.downloads} (for {category}.txt, whose items "
            f"have other ids, {prepared} into data.root)"
        )

    def source(self) -> Path | None:
        """The sequence file or the file of reviews, downloaded if neither is there."""
        if self.filters or self.split.key:
            return self.folders.locate(self.reviews)
        return self.folders.locate(self.sequence_file, self.reviews)

    def read(self, source: Path) -> Sequences:
        """A sequence file as it is; reviews by the rule above."""
        if self.sequence_file.is_at(source):
            return read_sequence_file(source)
        columns: dict[str, str | None] = {"user": "reviewerID", "item": "asin", "time": "unixReviewTime"}
        dropped: Dropped = {}
        kept = self.filters.of(read_table(source, self.filters.columns(columns, "overall")), source, dropped)
        return to_sequences(kept, source, _CORE, _CORE, numbering="first_seen", dropped=dropped, keep=self.split.key)

    def attribute_files(self, source: Path) -> Sequence[Path]:
        """The prepared attributes for a sequence file, the products' metadata for reviews."""
        prepared = self.sequence_file.is_at(source)
        return self.folders.find_all(self.prepared_attributes if prepared else self.metadata)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Brands and categories."""
        if self.metadata.is_at(files[0]):
            return read_amazon(files[0], set(sequences.item_ids.to_list()))
        return read_item_attributes(files[0])

    def recipe(self) -> dict[str, Any]:
        """Category, thresholds and filters."""
        options = {"reader": "amazon", "category": self.category, "min_user": _CORE, "min_item": _CORE}
        return options | self.filters.recipe()
