"""The built site: a page for all that there is, links that lead somewhere, nothing that asks the network."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
import yaml

from seqrec.reporting.models import models
from seqrec.reporting.pages import ROOT
from seqrec.reporting.results import by_clock
from seqrec.runs.kept import runs
from tests.export.browser import PATIENCE, Browser, served
from tests.reporting.site.html_pages import html_page

pytestmark = pytest.mark.thorough

CONF = ROOT / "conf"
FILES = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.rglob("*.yaml"))


def options(group: str) -> list[str]:
    return [name.partition("/")[2] for name in FILES if re.fullmatch(f"{group}/(?!base$)[^/]+", name)]


def test_each_model_has_a_page(site: Path) -> None:
    facts = {model.name: model for model in models()}
    for name in options("model"):
        page = html_page(site / "models" / f"{name}.html")
        assert f"python main.py model={name} data=" in page.text
        assert {"how-it-is-built", "settings", "results"} <= page.ids
        if name in facts:
            model = facts[name]
            assert model.idea and model.idea in page.text and "parity" in page.ids
            assert [["paper", model.paper], ["compared with", model.reference]] == page.rows[1:3]
            assert page.rows[3] == ["parity checks passed", model.parity]
    assert len(facts) == 22


def means(row: Sequence[str]) -> set[str]:
    """Its cells, without the intervals of those that have one."""
    return {cell.partition(" ± ")[0] for cell in row}


def test_a_finished_run_is_on_the_pages_of_its_model_and_its_data(site: Path) -> None:
    folders = [path for path in (ROOT / "docs" / "runs").iterdir() if path.is_dir()]
    finished = [run for folder in folders for run in runs(folder) if not by_clock(run)]
    assert finished
    for run in finished:
        metrics, folder, model = run.metrics, run.folder.parent.name, run.name.partition("-")[0]
        figures = {f"{metrics['test']['ndcg@10']:.4f}", f"{metrics['epochs']} ({metrics['best_epoch']})"}
        rows = html_page(site / "models" / f"{model}.html").rows
        hours = f"{run.hours:.{1 if run.hours >= 1 else 2}f}"
        assert any({*figures, hours} <= means(row) for row in rows), run.folder
        assert (site / "images" / "runs" / folder / f"{run.name}.svg").exists()
        rows = html_page(site / "data" / f"{run.card.data['name']}.html").rows
        assert any(row and row[0].removesuffix(" †") == run.name and figures <= means(row) for row in rows), run.folder


def test_each_data_set_has_a_page(site: Path) -> None:
    kept = yaml.safe_load((ROOT / "docs" / "data-checks.json").read_text())
    for name in options("data"):
        page = html_page(site / "data" / f"{name}.html")
        assert f"data={name}" in page.text and "where-it-comes-from" in page.ids
        if name in kept:
            assert ["users", f"{kept[name]['sizes']['users']:,}"] in page.rows
            assert (site / "images" / "data" / f"{name}.svg").exists()


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def test_each_key_is_in_the_reference_with_its_comment(site: Path) -> None:
    for name in FILES:
        text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
        top, group = name.partition("/")[0], name.rpartition("/")[0]
        page = html_page(site / "keys" / (f"{top}.html" if "/" in name else "index.html"))
        assert "/" not in name or name.replace("/", "-") in page.ids
        package = re.search(r"^# @package (\S+)$", text, re.MULTILINE)
        prefix = (package[1] if package else group.replace("/", ".")).removeprefix("_global_")
        keys = {row[0]: row for row in page.rows if row}
        for key in leaves({key: value for key, value in (yaml.safe_load(text) or {}).items() if key != "defaults"}):
            assert f"{prefix}.{key}".lstrip(".") in keys, (name, key)
        for line in text.splitlines():
            comment = re.search(r"(?:^|\s)#(?! @package)(.*)$", line)
            if comment:
                words = " ".join(re.sub(r"`", "", comment[1]).split())
                assert words in page.text, (name, line)


def test_links_lead_somewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        for link in html_page(page).links:
            address, anchor = urldefrag(link)
            if page.name == "404.html" or address.startswith(("http", "data:", "mailto:")):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            assert target.exists(), (page, link)
            if anchor and target.suffix == ".html" and not anchor.startswith("__"):
                assert unquote(anchor) in html_page(target).ids, (page, link)


def test_no_request_leaves_a_page(site: Path, browser: Browser) -> None:
    with served(site) as address:
        browser.watch()
        for name in ("index", "models/fenrec", "keys/data", "data/beauty", "api/functional"):
            browser.open(f"{address}/{name}.html")
            until(browser, "document.readyState == 'complete' && !!document.querySelector('h1')")
            assert browser.value("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
            assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        browser.value(
            "box = document.querySelector('.md-search__input'); box.focus(); box.value = 'drop_duplicates';"
            "box.dispatchEvent(new Event('input', {bubbles: true})); box.dispatchEvent(new Event('keyup'))"
        )
        until(browser, "!!document.querySelector('.md-search-result__item a')")
        found = browser.value("[...document.querySelectorAll('.md-search-result__item a')].map(one => one.href)")
        assert any(link.startswith(f"{address}/keys/data.html") for link in found), found
        assert all(asked.startswith((address, "data:", "blob:")) for asked in browser.requests())
        assert browser.complaints() == []


def until(browser: Browser, condition: str) -> None:
    """Wait for the page."""
    end = time.monotonic() + PATIENCE
    while not browser.value(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.1)
