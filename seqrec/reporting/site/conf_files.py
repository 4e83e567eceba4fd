"""Files of the configuration as they are written: keys, values, choices, and the comments beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

PACKAGE = re.compile(r"^# @package (\S+)$", re.MULTILINE)
GLOBAL = "_global_"


@dataclass(frozen=True)
class Key:
    """One line of a file.

    Attributes:
        name: dotted, below the package of its file.
        value: as written; empty where others lie below.
        comment: beside it, or in the lines above it.
    """

    name: str
    value: str
    comment: str


@dataclass(frozen=True)
class Choice:
    """One line of a defaults list: the option of a group that a file chooses.

    Attributes:
        group: path of the group, such as ``model/loss``.
        package: where its keys stand, dotted.
        option: as written; ``null`` for none.
        comment: beside it.
        override: whether the choice of another file is replaced.
    """

    group: str
    package: str
    option: str
    comment: str
    override: bool

    @property
    def name(self) -> str:
        """As it is typed: ``model/loss``, or ``model/trunk@model.generator`` where the keys stand elsewhere."""
        usual = self.package == self.group.replace("/", ".")
        return self.group if usual else f"{self.group}@{self.package}"


@dataclass(frozen=True)
class ConfFile:
    """One file of ``conf/``.

    Attributes:
        name: its path without the suffix, such as ``model/loss/bce``.
        package: where its keys stand, dotted; empty at the top.
        head: the comment that it begins with.
        parts: the files of its own group, or named by a path, that it begins with.
        choices: of other groups.
        keys: its own, in their order.
    """

    name: str
    package: str
    head: str
    parts: tuple[str, ...]
    choices: tuple[Choice, ...]
    keys: tuple[Key, ...]

    @property
    def group(self) -> str:
        """Path of the group; empty for the primary file."""
        return self.name.rpartition("/")[0]

    @property
    def prefix(self) -> str:
        """What stands before its keys on the command line."""
        return f"{self.package}." if self.package else ""

    def values(self) -> dict[str, str]:
        """Value by complete key, choices included."""
        chosen = {choice.name: choice.option for choice in self.choices}
        return chosen | {f"{self.prefix}{key.name}": key.value for key in self.keys if key.value}


def read_conf(folder: Path) -> dict[str, ConfFile]:
    """All files of a configuration by name, in the order of their paths.

    Raises:
        ValueError: a file is no mapping.
    """
    found = {}
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        found[name] = read_file(name, path.read_text(encoding="utf-8"))
    return found


def read_file(name: str, text: str) -> ConfFile:
    """One file.

    Args:
        name: its path without the suffix.
        text: its content.

    Raises:
        ValueError: the file is no mapping.
    """
    lines = text.splitlines()
    first = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:first] if not PACKAGE.match(line))
    group = name.rpartition("/")[0]
    package = (PACKAGE.search(text) or [None, group.replace("/", ".")])[1] or ""
    package = "" if package == GLOBAL else package
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode | None):
        raise ValueError(f"conf/{name}.yaml holds no keys with values")
    parts: list[str] = []
    choices: list[Choice] = []
    keys: list[Key] = []
    for key, value in node.value if node else ():
        if key.value == "defaults":
            for entry in value.value:
                _default(entry, group, package, text, parts, choices)
        else:
            keys += _keys(key, value, "", text, first)
    return ConfFile(name, package, head, tuple(parts), tuple(choices), tuple(keys))


def _keys(key: yaml.Node, value: yaml.Node, above: str, text: str, first: int) -> Iterator[Key]:
    """The lines of one key and of all below it; comments before line ``first`` are the head of the file."""
    name = f"{above}{key.value}"
    comment = _above(text, key, first)
    if isinstance(value, yaml.MappingNode) and not value.flow_style:
        beside = _beside(text, key.end_mark.index + 1)
        if comment or beside:
            yield Key(name, "", " ".join(filter(None, (comment, beside))))
        for inner_key, inner in value.value:
            yield from _keys(inner_key, inner, f"{name}.", text, first)
        return
    written = " ".join(text[value.start_mark.index : value.end_mark.index].split()) or "null"
    if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
        written = "a text"
    yield Key(name, written, " ".join(filter(None, (comment, _beside(text, value.end_mark.index)))))


def _beside(text: str, index: int) -> str:
    """The comment in the rest of a line."""
    rest = text[index:].partition("\n")[0].strip()
    return rest.lstrip("# ") if rest.startswith("#") else ""


def _above(text: str, key: yaml.Node, first: int) -> str:
    """The comment in the whole lines before a key."""
    lines = text.splitlines()[first : key.start_mark.line]
    found: list[str] = []
    while lines and lines[-1].lstrip().startswith("#"):
        found.insert(0, lines.pop().strip().lstrip("# "))
    return " ".join(found)


def _default(entry: yaml.Node, group: str, package: str, text: str, parts: list[str], choices: list[Choice]) -> None:
    """Read one entry of a defaults list into ``parts`` or ``choices``."""
    if isinstance(entry, yaml.ScalarNode):
        if entry.value != "_self_":
            parts.append(_path(entry.value.partition("@")[0], group))
        return
    ((key, value),) = entry.value
    words = key.value.split()
    path, _, place = words[-1].partition("@")
    path = _path(path, group)
    if place.startswith(GLOBAL):
        place = place.removeprefix(GLOBAL).removeprefix(".")
    elif not place:
        below = path.removeprefix(f"{group}/") if group else path
        nested = package and path != below and not words[-1].startswith("/")
        place = f"{package}.{below}".replace("/", ".") if nested else path.replace("/", ".")
    comment = _beside(text, value.end_mark.index)
    choices.append(Choice(path, place, value.value or "null", comment, "override" in words))


def _path(written: str, group: str) -> str:
    return written.removeprefix("/") if written.startswith("/") else str(PurePosixPath(group) / written)


def defaults(files: Mapping[str, ConfFile], model: str) -> dict[str, str]:
    """Value by key, and option by group, of a model on no particular data set.

    Args:
        files: of the configuration.
        model: its name.
    """
    found = files["config"].values()
    found |= {f"{key}": value for part in ("data/base", "trainer/auto") for key, value in files[part].values().items()}
    return found | _composed(files, f"model/{model}", None, {})


def _composed(files: Mapping[str, ConfFile], name: str, package: str | None, chosen: dict[str, str]) -> dict[str, str]:
    """What a file sets with all that it begins with; ``chosen`` are the choices that files above it replace."""
    file = files[name]
    move = (file.package, file.package if package is None else package)
    chosen = {choice.group: choice.option for choice in file.choices if choice.override} | chosen
    found: dict[str, str] = {}
    for part in file.parts:
        found |= _composed(files, part, package, chosen)
    for choice in file.choices:
        place = f"{move[1]}{choice.package.removeprefix(move[0])}" if move[0] else choice.package
        option = choice.option if choice.override else chosen.get(choice.group, choice.option)
        found[choice.name] = option
        if option != "null" and not choice.override and f"{choice.group}/{option}" in files:
            found |= _composed(files, f"{choice.group}/{option}", place, chosen)
    own: dict[str, Any] = {f"{move[1]}.".lstrip(".") + key.name: key.value for key in file.keys if key.value}
    return found | own
