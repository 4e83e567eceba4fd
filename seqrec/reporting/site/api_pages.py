"""Pages of the API: a page a room, with the modules that have something public, which mkdocstrings fills in."""

from __future__ import annotations

from pathlib import Path

import griffe

from seqrec.reporting.site.described import Docstrings

ROOMS = ("opening", "serving", "inference", "functional", "metrics", "data", "nn", "backbones", "methods", "runs")
FIRST = """# API

What a program of your own may import. `seqrec.load` opens a finished run or a bundle; the rest is by room, see
[the architecture](../architecture.md#the-rooms). Shapes: B histories in a batch, L items in the longest, D width of a
state, I items in the catalogue, U users.

"""


def api_pages(docstrings: Docstrings) -> dict[str, str]:
    """The pages, by path in the site."""
    package = docstrings.package
    pages = {}
    rows = []
    for room in ROOMS:
        module = package[room]
        words = module.docstring.value.partition("\n")[0] if module.docstring else ""
        rows.append(f"* [`seqrec.{room}`]({room}.md): {words}")
        listed = [f"::: {one.path}\n" for one in _modules(module)]
        pages[f"api/{room}.md"] = f"# seqrec.{room}\n\n" + "\n".join(listed)
    return {"api/index.md": FIRST + "\n".join(rows) + "\n"} | pages


def places(pages: dict[str, str], root: Path) -> dict[str, str]:
    """Where a file of the package is described: page and anchor by the path of the file."""
    found = {}
    for page, text in pages.items():
        for line in text.splitlines():
            name = line.removeprefix("::: ")
            if name != line:
                path = name.replace(".", "/")
                ending = "/__init__.py" if (root / path).is_dir() else ".py"
                found[f"{path}{ending}"] = f"{page}#{name}"
    return found


def _modules(module: griffe.Module) -> list[griffe.Module]:
    """The module and those below it that define something public with a docstring."""
    own = [one for one in module.members.values() if not one.is_alias and not one.is_module and _is_shown(one)]
    found = [module] if own else []
    for _, one in sorted(module.members.items()):
        if not one.is_alias and isinstance(one, griffe.Module):
            found += _modules(one)
    return found


def _is_shown(one: griffe.Object | griffe.Alias) -> bool:
    return not one.name.startswith("_") and one.docstring is not None and not one.is_attribute
