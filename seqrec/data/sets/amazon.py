"""Amazon product reviews 1996-2014, 5-core files (McAuley et al., SIGIR 2015; He and McAuley, WWW 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqrec.data.attributes import ItemAttributes, read_item_attributes
from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.interactions import to_sequences
from seqrec.data.readers.files import find, is_text_of, known
from seqrec.data.readers.metadata import read_amazon
from seqrec.data.readers.sequence_file import read_sequence_file
from seqrec.data.readers.tables import read_table
from seqrec.data.sequences import Sequences
from seqrec.data.sets.download import download

_URL = "http://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
_REVIEWS = {
    "Beauty": 198_502,
    "Sports_and_Outdoors": 296_337,
    "Toys_and_Games": 167_597,
    "Musical_Instruments": 10_261,
}
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
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: unknown category; later, a ``root`` that is no folder, a failed download, a damaged file.
    """

    def __init__(
        self,
        category: str,
        root: str | None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.category, self.root = known("category", category, _REVIEWS), root
        self.downloads = self.cache_dir / "downloads"
        meta = f"meta_{category}.json.gz"
        self.attribute_advice = (
            f"put {_URL}{meta} into data.root or into {self.downloads} (for {category}.txt, whose items have other "
            f"ids, {category}_item2attributes.json into data.root)"
        )

    def source(self) -> Path:
        """The sequence file or the file of reviews, downloaded if neither is under ``root``."""
        sequences = f"{self.category}.txt"
        reviews = f"reviews_{self.category}_5.json"
        names = [f"sequences/{sequences}", sequences]
        for folder in ("", "raw/amazon/"):
            names += [folder + reviews, f"{folder}{self.category}_5.json"]
        found = find(self.root, names)
        if found is not None:
            return found
        target = self.downloads / f"{reviews}.gz"
        return download(f"{_URL}{reviews}.gz", target, lines=_REVIEWS[self.category])

    def read(self, source: Path | None) -> Sequences:
        """A sequence file as it is; reviews by the rule above."""
        assert source is not None
        if is_text_of(source, f"{self.category}.txt"):
            return read_sequence_file(source)
        table = read_table(source, {"user": "reviewerID", "item": "asin", "time": "unixReviewTime"})
        return to_sequences(table, source, _CORE, _CORE, numbering="first_seen")

    def attribute_files(self, source: Path | None) -> Sequence[Path]:
        """The prepared attributes for a sequence file, the products' metadata for reviews."""
        assert source is not None
        if is_text_of(source, f"{self.category}.txt"):
            prepared = f"{self.category}_item2attributes.json"
            found = find(self.root, [f"attributes/{prepared}", prepared])
        else:
            meta = f"meta_{self.category}.json"
            found = find(self.root, [meta, f"raw/amazon/{meta}"])
            if found is None and self.downloads.is_dir():
                found = find(str(self.downloads), [meta])
        return () if found is None else (found,)

    def read_attributes(self, files: Sequence[Path], sequences: Sequences) -> ItemAttributes:
        """Brands and categories."""
        if files[0].name.startswith("meta_"):
            return read_amazon(files[0], set(sequences.item_ids.to_list()))
        return read_item_attributes(files[0])

    def recipe(self) -> dict[str, Any]:
        """Category and thresholds."""
        return {"reader": "amazon", "category": self.category, "min_user": _CORE, "min_item": _CORE}
