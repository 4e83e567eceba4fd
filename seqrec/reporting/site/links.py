"""Links of pages that also stand on a git host: to pages of the site, to files outside it, or to nothing."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from pathlib import PurePosixPath

FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")

Place = Callable[[str], str | None]
"""The page of a file, both by path: of the file in the repository, of the page in the site; None: it has none."""


def rewritten(text: str, source: str, page: str, place: Place, repository: str | None) -> str:
    """A page whose relative links lead somewhere in the site.

    Args:
        text: Markdown.
        source: path of its file in the repository, to which the links are relative.
        page: path of its source in the site.
        place: where a file of the repository is in the site, maybe with an anchor.
        repository: address of the repository, for files that are not in the site; without one their path is shown.
    """

    def link(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        path, _, anchor = target.partition("#")
        path = os.path.normpath(PurePosixPath(source).parent / path)
        inside = place(path)
        if inside is not None:
            name, _, own = inside.partition("#")
            anchor = anchor or own
            relative = os.path.relpath(name, PurePosixPath(page).parent) if name != page or not anchor else ""
            return f"{image}[{words}]({relative}{'#' if anchor else ''}{anchor})"
        if repository:
            return f"[{words}]({repository.rstrip('/')}/blob/HEAD/{path})"
        return words if words.strip("`") in (path, PurePosixPath(path).name) else f"{words} (`{path}`)"

    pieces = FENCE.split(text)
    return "".join(piece if piece.startswith("```") else LINK.sub(link, piece) for piece in pieces)
