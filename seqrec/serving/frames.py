"""FrameModel: asked with a table of pandas, polars or another library, it answers with a table of the same kind.

Tables are read through the Arrow and data frame interchange protocols, so neither library has to be there unless its
tables come. A table is a log, one line an interaction, or nested, one line a user with a list of items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from seqrec.serving.recommend import Asked, LoadedModel, Recommendations
from seqrec.serving.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


COLUMNS: Mapping[str, str | None] = {"user": "user", "item": "item", "time": "time"}
"""Names of the columns of a table, unless others are given."""


@dataclass(frozen=True)
class FrameRecommendations(Recommendations):
    """Lists with a table of them.

    Attributes:
        frame: of the kind that was asked with: for a log one line an item (user, item, score, rank), for a nested table
            one line a user (user, items, scores).
    """

    frame: Any = None


class FrameModel(LoadedModel):
    """A :class:`~seqrec.serving.recommend.LoadedModel` that takes tables as well as lists: ``seqrec.load(...)``."""

    def recommend(
        self, histories: Any, k: int = 10, *, columns: Mapping[str, str | None] = COLUMNS, **options: Any
    ) -> Recommendations:
        """As :meth:`LoadedModel.recommend`, which names the options, also of a table.

        Args:
            histories: lists; or a table. A log is ordered by time within each user; without such a column its own order
                counts. Users come in the order in which they first occur.
            k: how many.
            columns: names in the table of ``user``, ``item`` and ``time``; time may be None.
            **options: ``seen``, ``allow``, ``block``, ``unknown``, ``empty``; and ``users`` with lists.

        Returns:
            The lists; for a table :class:`FrameRecommendations`, with a table of them.
        """
        if not (hasattr(histories, "__dataframe__") or hasattr(histories, "__arrow_c_stream__")):
            return super().recommend(histories, k, **options)
        if "users" in options:
            raise ValueError("a table has its users in a column; leave users out")
        from seqrec.serving.tables import like, long_table, nested_histories, nested_table, polars_frame

        table = polars_frame(histories)
        nested = nested_histories(table, columns)
        asked = self.asked_of_lists(nested["items"], nested["user"], options.get("unknown", "drop"))
        found = super().recommend(asked, k, **options)
        is_log = not table.schema[str(columns["item"])].is_nested()
        answer = (long_table if is_log else nested_table)(found, nested["user"])
        names = {"user": str(columns["user"])} | ({"item": str(columns["item"])} if is_log else {})
        parts = {field.name: getattr(found, field.name) for field in fields(found)}
        return FrameRecommendations(**parts, frame=like(histories, answer.rename(names)))

    def asked_of_lists(self, items: pl.Series, users: pl.Series, unknown: str = "drop") -> Asked:
        """Histories, a list of raw ids each, as numbers; quick for many.

        Args:
            items: ``(B,)`` lists.
            users: ``(B,)`` raw ids, which count where the model knows users.
            unknown: see :meth:`LoadedModel.recommend`.
        """
        from seqrec.serving.tables import ragged  # polars, which only tables need

        numbers, offsets = ragged(items, self.items)
        return self.asked_of(numbers, offsets, unknown, None if self.users is None else users.to_list())

    def session(self, state: str | Path | None = None, user: Any = None) -> Session:
        """One user's history that grows.

        Args:
            state: file of :meth:`Session.save <seqrec.serving.session.Session.save>` to take up; None begins a new one.
            user: raw id, for a model that knows users.
        """
        return Session(self, user) if state is None else Session.load(self, state)
