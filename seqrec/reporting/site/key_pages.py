"""The reference of all keys: a page for each folder of ``conf/``, with the comments of its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from seqrec.reporting.site.conf_files import Choice, ConfFile, defaults
from seqrec.reporting.site.described import Docstrings
from seqrec.reporting.site.markup import anchor, code, comment, escaped, table

PRIMARY = "config"
OF_MODELS = ("settings", "paper_settings")
"""Folders whose files are of one model, named by the folder that they lie in."""
HEAD_LINE = re.compile(r"^((?:Idea|Paper|Reference): .+)$\n?", re.MULTILINE)
COLUMNS = ("key", "default", "what it is")
FOUND_FIRST = "---\nsearch:\n  boost: 4\n---\n\n"
FIRST = """# All keys

Every key of a run, as it is typed after `python main.py`; a page for each folder of `conf/`. Choose a file with
`group=option` (`data=beauty`), change one value with `key=value` (`data.batch_size=128`). `???` must be given, `${...}`
is the value of another key, `null` is none. `python main.py model=sasrec --cfg job` shows all values of a run, and
`--explain <key>` which files set one.

"""

Files = Mapping[str, ConfFile]


def key_pages(files: Files, docstrings: Docstrings) -> dict[str, str]:
    """The pages, by path in the site.

    Args:
        files: of the configuration.
        docstrings: of the package, where a key without a comment is explained.
    """
    tops = sorted({name.partition("/")[0] for name in files} - {PRIMARY})
    pages = {"keys/index.md": _first(files, tops, docstrings)}
    for top in tops:
        of_top = {name: file for name, file in files.items() if name.startswith(f"{top}/")}
        pages[f"keys/{top}.md"] = _page(top, of_top, files, docstrings)
    return pages


def place_of(name: str) -> str:
    """Where a file of the configuration is described: page and anchor."""
    return "keys/index.md" if name == PRIMARY else f"keys/{name.partition('/')[0]}.md#{anchor(name)}"


def _first(files: Files, tops: list[str], docstrings: Docstrings) -> str:
    chosen = {choice.group: choice for choice in files[PRIMARY].choices}
    listed = []
    for top in tops:
        default = chosen[top].option if top in chosen else ""
        own = [name.removeprefix(f"{top}/") for name in files if name.startswith(f"{top}/")]
        options = [name for name in own if "/" not in name and name != "base"]
        folders = list(dict.fromkeys(name.partition("/")[0] for name in own if "/" in name))
        shown = [f"[`{name}`]({top}.md#{anchor(f'{top}/{name}')})" for name in options]
        shown += [f"`{name}/`" for name in folders]
        note = f" {escaped(chosen[top].comment)}" if top in chosen and chosen[top].comment else ""
        listed.append([f"[`{top}`]({top}.md)", code(default), ", ".join(shown) + (f";{note}" if note else "")])
    groups = table(["group", "default", "options, and folders of parts"], listed)
    keys = table(COLUMNS, rows(files[PRIMARY], files, docstrings))
    return f"{FOUND_FIRST}{FIRST}## Groups\n{groups}\n## Keys at the top\n\nOf `conf/config.yaml`.\n{keys}"


def _page(top: str, own: Files, files: Files, docstrings: Docstrings) -> str:
    text = [FOUND_FIRST, f"# {top}\n"]
    group = None
    for name, file in sorted(own.items(), key=lambda pair: (pair[1].group, pair[0].endswith("/base"), pair[0])):
        if file.group != group:
            group = file.group
            text.append(f"\n## {group.removeprefix(f'{top}/')} {{ #group-{anchor(group)} }}\n" if group != top else "")
        level = "##" if group == top else "###"
        option = name.rpartition("/")[2]
        text.append(f"\n{level} {escaped(option)} {{ #{anchor(name)} }}\n")
        text.append(comment(HEAD_LINE.sub(r"\1\n\n", file.head)))
        text.append(f"\n{' '.join(_about(file, files))}\n")
        text.append(table(COLUMNS, rows(file, files, docstrings)))
    return "".join(text)


def _about(file: ConfFile, files: Files) -> Iterator[str]:
    """How the file is chosen, which one it is, and what it begins with."""
    top, _, rest = file.name.partition("/")
    option = file.name.rpartition("/")[2]
    if option == "base":
        yield f"What the other files of `conf/{file.group}/` share."
    elif top in OF_MODELS or top in ("hydra", "wandb"):
        yield f"`conf/{file.name}.yaml`."
    else:
        optional = top not in {choice.group for choice in files[PRIMARY].choices}
        choice = f"+{top}={rest}" if optional else f"{file.group}={option}"
        yield f"`{choice}`, from `conf/{file.name}.yaml`."
    places = {place for other in files.values() for place in _places(other, file.group)}
    if file.package and places and places != {file.package}:
        yield f"Its keys stand below {', '.join(code(place) for place in sorted(places))}."
    for part in file.parts:
        if part in files:
            yield f"Begins with [`{part}`]({part.partition('/')[0]}.md#{anchor(part)})."


def _places(file: ConfFile, group: str) -> Iterator[str]:
    yield from (choice.package for choice in file.choices if choice.group == group and choice.package)


def rows(file: ConfFile, files: Files, docstrings: Docstrings, folder: str = "") -> Iterator[list[str]]:
    """One row a choice and a key: name, default, and its comment or else what the docstring says of the argument.

    Args:
        file: whose rows they are.
        files: of the configuration.
        docstrings: of the package.
        folder: from the page to the pages of keys, with a slash at its end.
    """
    for choice in file.choices:
        yield [code(choice.name), _option(choice, files, folder), escaped(choice.comment)]
    targets = _targets(file, files)
    for key in file.keys:
        name = f"{file.prefix}{key.name}"
        above, _, last = name.rpartition(".")
        words = key.comment
        if not words and above in targets and not last.startswith("_"):
            words = docstrings.arguments(targets[above]).get(last, "")
        yield [code(name), code(key.value), escaped(words)]


def _option(choice: Choice, files: Files, folder: str) -> str:
    name = f"{choice.group}/{choice.option}"
    return (
        f"[`{choice.option}`]({folder}{place_of(name).removeprefix('keys/')})" if name in files else code(choice.option)
    )


def _targets(file: ConfFile, files: Files) -> dict[str, str]:
    """What the nodes of a file call, by their dotted names; where it does not say, as the other files of its group."""
    words = file.name.split("/")
    if words[0] in OF_MODELS and f"model/{words[-2]}" in files:
        values = defaults(files, words[-2]) | file.values()
    else:
        values = {}
        for other in reversed(list(files.values())):
            if other.group == file.group:
                values |= other.values()
        values |= file.values()
    ends = "._target_"
    return {name.removesuffix(ends): value for name, value in values.items() if name.endswith(ends)}
