"""The page of a bundle, in a headless Chromium, shows the list that the runner gives."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqrec
from tests.export.browser import Browser, served
from tests.export.conftest import PAGE
from tests.export.ways import of_page, texts

pytestmark = pytest.mark.thorough


def listed(rec: Any, history: list[Any], **options: Any) -> list[str]:
    return [str(item) for item in rec.recommend([history], 10, **options).items[0]]


def test_the_page_shows_the_list_of_a_model_with_a_table_of_its_own(
    site: Callable[..., Path], browser: Browser
) -> None:
    """Other models are in test_ways.py."""
    folder = site("cbit", "none")
    rec = seqrec.load(folder)
    histories = [[rec.items.raw[(7 * place) % 50] for place in range(length)] for length in (1, 3, 20, 26)]
    assert of_page(folder, histories, browser) == texts(rec.recommend(histories, 10).items)


def test_the_list_follows_what_is_chosen(site: Callable[..., Path], browser: Browser, tmp_path: Path) -> None:
    folder = site("sasrec", "int8")
    card = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(card | {"remove_seen": True}))
    rec = seqrec.load(folder)
    with served(folder) as address:
        browser.open(f"{address}/index.html")
        assert browser.shown("") == listed(rec, []) and rec.remove_seen
        assert browser.value("document.getElementById('title').textContent") == "Most popular"
        browser.value("search = document.getElementById('search'); search.value = 'QUOTES'; search.oninput()")
        rows = browser.value("[...document.querySelectorAll('#matches button')].map(row => row.innerText)")
        assert rows == ['With "quotes" & <tags> 2']
        browser.value("search.onkeydown({key: 'Enter'})")
        raw = {str(item): item for item in rec.items.raw}
        assert browser.shown("2") == listed(rec, [raw["2"]])
        first = browser.shown("2")[0]
        browser.value("document.querySelector('#top button').click()")
        assert browser.shown(f"2,{first}") == listed(rec, [raw["2"], raw[first]])
        assert first not in browser.shown(f"2,{first}")
        assert browser.value("location.hash") == f"#history=2%2C{first}"
        browser.value("document.querySelector('#history button').click()")
        assert browser.shown(first) == listed(rec, [raw[first]])
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        turn = browser.value("document.body.dataset.turn")
        browser.value("document.getElementById('new').click()")
        while browser.value("document.body.dataset.turn") == turn:
            time.sleep(0.1)
        assert browser.shown(first) == listed(rec, [raw[first]], seen="keep") != listed(rec, [raw[first]])


@pytest.mark.parametrize("name", ["caser", "bpr"])
def test_a_model_that_knows_users_asks_for_one(name: str, site: Callable[..., Path], browser: Browser) -> None:
    folder = site(name, "none")
    rec = seqrec.load(folder)
    history, user = rec.items.raw[:4], rec.users.raw[0]
    ids = ",".join(map(str, history))
    with served(folder) as address:
        browser.open(f"{address}/index.html#history={ids}")
        assert browser.shown(ids) == listed(rec, history, users=[user])
        assert browser.value("document.getElementById('user').value") == str(user)


def test_without_the_runtime_beside_it_the_page_takes_the_pinned_one(
    site: Callable[..., Path], browser: Browser, runtime: Path
) -> None:
    """A server here stands for the public one: the page takes what has the known hashes and nothing else."""
    folder = site("sasrec", "none", beside=False)
    page, rec = folder / "index.html", seqrec.load(folder)
    with served(runtime.parent) as cdn, served(folder) as address:
        text = page.read_text(encoding="utf-8")
        other = re.sub(r'CDN = "[^"]+"', f'CDN = "{cdn}/node_modules/onnxruntime-web/dist/"', text)
        page.write_text(other, encoding="utf-8")
        browser.open(f"{address}/index.html#history=3")
        raw = next(item for item in rec.items.raw if str(item) == "3")
        assert browser.shown("3") == listed(rec, [raw])
        page.write_text(other.replace("sha384-", "sha384-AAAA"), encoding="utf-8")
        browser.open(f"{address}/index.html?#history=3")
        with pytest.raises(AssertionError, match="The model cannot be loaded"):
            browser.shown("3")


def test_the_pinned_hashes_are_those_of_the_pinned_version(runtime: Path) -> None:
    pinned = dict(re.findall(r'"(ort[^"]+)": "sha384-([^"]+)"', PAGE.read_text(encoding="utf-8")))
    assert len(pinned) == 2
    for name, digest in pinned.items():
        content = (runtime / "onnxruntime-web" / "dist" / name).read_bytes()
        assert base64.b64encode(hashlib.sha384(content).digest()).decode() == digest
