"""MovieLens 1M and 100K (Harper and Konstan, ACM TiiS 5(4):19, 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from seqrec.data.datamodule import SequenceDataModule
from seqrec.data.download import download, extract
from seqrec.data.files import find, is_text_of, known
from seqrec.data.interactions import to_sequences
from seqrec.data.sequence_file import read_sequence_file
from seqrec.data.sequences import Sequences
from seqrec.data.tables import read_table

_URL = "https://files.grouplens.org/datasets/movielens/"
_FIELDS = ("user_id", "item_id", "rating", "timestamp")
_CORE = 5


class _Release(NamedTuple):
    """Of one release: the names of its sequence file and ratings, their separator, the archive's md5."""

    sequences: str
    ratings: str
    separator: str
    md5: str


_RELEASES = {
    "ml-1m": _Release("ml-1m.txt", "ratings.dat", "::", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-100k": _Release("ml-100k_5core.txt", "u.data", "\t", "0e33842e24a9c977be4e0107933c0723"),
}


class MovieLens(SequenceDataModule):
    """MovieLens: all ratings, 5-core, ties in time in file order, ids by rank of the original ids.

    The source is the first that exists of ``<root>[/sequences]/ml-1m.txt`` (``ml-100k_5core.txt``),
    ``<root>[/ml-1m|/raw/ml-1m]/ratings.dat`` (``u.data``), each also ``.gz``, and the archive of GroupLens,
    downloaded to ``<cache_dir>/downloads``.

    Args:
        variant: ``ml-1m`` or ``ml-100k``.
        root: folder that holds the data; None downloads it.
        **base: arguments of :class:`~seqrec.data.datamodule.SequenceDataModule`.

    Raises:
        DataError: unknown variant; later, a ``root`` that is no folder, a failed download, a damaged file.
    """

    def __init__(
        self,
        variant: str,
        root: str | None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.variant, self.root = known("variant", variant, _RELEASES), root
        self.release = _RELEASES[variant]

    def source(self) -> Path:
        """The sequence file or the file of ratings, downloaded if neither is under ``root``."""
        sequences, ratings, _, md5 = self.release
        folders = ("", f"{self.variant}/", f"raw/{self.variant}/")
        names = [f"sequences/{sequences}", sequences, *(folder + ratings for folder in folders)]
        found = find(self.root, names)
        if found is not None:
            return found
        downloads = self.cache_dir / "downloads"
        target = downloads / self.variant / ratings
        if target.is_file():
            return target
        archive = download(f"{_URL}{self.variant}.zip", downloads / f"{self.variant}.zip", md5=md5)
        return extract(archive, f"{self.variant}/{ratings}", target)

    def read(self, source: Path | None) -> Sequences:
        """A sequence file as it is; ratings by the rule above."""
        assert source is not None
        if is_text_of(source, self.release.sequences):
            return read_sequence_file(source)
        columns: dict[str, str | None] = {"user": "user_id", "item": "item_id", "time": "timestamp"}
        table = read_table(source, columns, self.release.separator, header=_FIELDS)
        return to_sequences(table, source, _CORE, _CORE, numbering="raw_id")

    def recipe(self) -> dict[str, Any]:
        """Variant and thresholds."""
        return {"reader": "movielens", "variant": self.variant, "min_user": _CORE, "min_item": _CORE}
