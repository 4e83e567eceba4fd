"""The pages for people: links lead somewhere, and every command is one that this version understands."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from seqrec.cli.aliases import normalise
from seqrec.cli.main import check
from seqrec.cli.resolvers import register_resolvers
from tests.plugins import skip_without_plugin

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/bench/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
OUTSIDE = ROOT / "docs" / "adding"  # commands there need the files of their page: tests/outside/test_pages.py
CODE = re.compile(r"^```\w*\n(.*?)^```$|`([^`\n]*(?:\n[^`\n]+)?)`", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def identifier(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[list[str]]:
    """Arguments of every ``python main.py`` in a page, but for those that need something of the reader's own."""
    found = []
    for block, inline in CODE.findall(page.read_text(encoding="utf-8")):
        lines = block.splitlines() if block else [" ".join(inline.split())]
        for line in lines:
            call = re.search(r"(?:^|\s)python main\.py(.*)$", line)
            if call and "<" not in line and "mine/conf" not in line:
                found.append(shlex.split(call[1], comments=True))
    return found


COMMANDS = sorted(
    {(identifier(page), *arguments) for page in PAGES if page.parent != OUTSIDE for arguments in commands(page)}
)


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_a_shell_takes_the_commands(page: Path) -> None:
    """As they are written, parentheses in quotes; ``<name>`` stands for something of the reader's own."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = re.sub(r"<[\w -]+>", "something", "".join(text for kind, text in blocks if kind == "bash"))
    checked = subprocess.run(["bash", "-n"], input=lines, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_readme_is_two_screens() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_is_understood(command: tuple[str, ...]) -> None:
    register_resolvers()
    arguments, older_spellings = normalise(command[1:])
    assert older_spellings == []
    skip_without_plugin(arguments)
    check(arguments)
