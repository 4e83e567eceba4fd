"""The page of a dashboard: one HTML file with data, style and script inside, which asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from seqrec.runs.files import replacing

SCRIPTS = ("base", "charts", "table", "curves", "parts", "papers", "main")
"""Files of the script, in the order in which they need one another."""


def write_page(path: Path, content: Mapping[str, Any]) -> None:
    """Write the page in one step.

    A browser runs the one script and applies the one style whose hashes the page names, and loads nothing else. What
    runs are called is data for it: no text of a run can end the element that holds it.

    Args:
        path: of the file.
        content: of :func:`~seqrec.reporting.dashboard.content.content`.
    """
    folder = files("seqrec.reporting.dashboard") / "page"

    def part(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    script = '"use strict";\n' + "\n".join(part(f"{name}.js") for name in SCRIPTS)
    style = part("style.css")
    data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    filled = {
        "script-hash": _digest(script),
        "style-hash": _digest(style),
        "style": style,
        "script": script,
        "data": data,
    }
    page = part("index.html")
    for name, text in filled.items():  # the data come last, so that no mark in them is replaced
        before, _, after = page.partition(f"<!--{name}-->")
        page = before + text + after
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
