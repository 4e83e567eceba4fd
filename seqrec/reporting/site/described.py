"""What the docstrings say of arguments and of models, read without importing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import griffe

ROLE = re.compile(r":[a-z]+:`(?:~(?:[\w.]*\.)?|\.)?([^`<]+?)(?: <[^`]*>)?`")


def plain(text: str) -> str:
    """A docstring as Markdown: the names in its roles, such as ``:class:`Batch```, become code."""
    return ROLE.sub(r"`\1`", text)


class Roles(griffe.Extension):
    """Lets mkdocstrings show docstrings as :func:`plain` writes them."""

    def on_object(self, *, obj: griffe.Object, **context: object) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = plain(obj.docstring.value)


class Docstrings:
    """The docstrings of the package.

    Args:
        root: folder that holds it.
    """

    def __init__(self, root: Path) -> None:
        loader = griffe.GriffeLoader(search_paths=[root], extensions=griffe.load_extensions(Roles()))
        package = loader.load("seqrec")
        loader.resolve_aliases()
        assert isinstance(package, griffe.Module)
        self.package = package
        self._arguments: dict[str, dict[str, str]] = {}

    def arguments(self, target: str) -> dict[str, str]:
        """Description by name of an argument, of a callable of the package and of what its class inherits from."""
        if target in self._arguments:
            return self._arguments[target]
        found = self._arguments[target] = {}
        for one in self._with_bases(target):
            for section in _sections(one):
                if section.kind is griffe.DocstringSectionKind.parameters:
                    for argument in section.value:
                        for name in argument.name.split(","):
                            found.setdefault(name.strip(" *"), " ".join(argument.description.split()))
        return found

    def text(self, target: str) -> str:
        """What the docstring of a callable says before its arguments; empty if it is not of the package."""
        for one in self._with_bases(target):
            texts = [part.value for part in _sections(one) if part.kind is griffe.DocstringSectionKind.text]
            return "\n\n".join(texts)
        return ""

    def module(self, target: str) -> str:
        """Dotted name of the module that defines a callable; empty if it is not of the package."""
        for one in self._with_bases(target):
            return one.module.path
        return ""

    def module_text(self, target: str) -> str:
        """The docstring of the module that defines a callable."""
        for one in self._with_bases(target):
            return one.module.docstring.value if one.module.docstring else ""
        return ""

    def _with_bases(self, target: str) -> Iterator[griffe.Object]:
        if not target.startswith("seqrec."):
            return
        try:
            one = self.package[target.removeprefix("seqrec.")]
            one = one.final_target if isinstance(one, griffe.Alias) else one
        except (KeyError, griffe.AliasResolutionError):
            return
        yield one
        if isinstance(one, griffe.Class):
            yield from one.mro()


def _sections(one: griffe.Object) -> list[griffe.DocstringSection]:
    return griffe.parse_google(one.docstring, warnings=False) if one.docstring else []
