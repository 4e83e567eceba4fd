"""Built pages as tests read them: their text, the rows of their tables, what they link to."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from pathlib import Path


class HtmlPage(HTMLParser):
    """One page.

    Attributes:
        ids: of its elements.
        links: values of ``href`` and ``src``.
        rows: cells of all table rows.
        text: what is read, with single blanks.
    """

    def __init__(self, content: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self._text: list[str] = []
        self._cell = False
        self.feed(content)
        self.text = " ".join("".join(self._text).split())
        self.rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        if tag != "base":
            self.links += [value for name in ("href", "src") if (value := values.get(name))]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        if self._cell:
            self.rows[-1][-1] += data


@cache
def html_page(path: Path) -> HtmlPage:
    """The page in a file, read once."""
    return HtmlPage(path.read_text(encoding="utf-8"))
