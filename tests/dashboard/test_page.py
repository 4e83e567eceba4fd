"""The page of a dashboard in a headless Chromium: what can be done there, and what cannot happen."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from seqrec.reporting.dashboard.collect import collect
from seqrec.reporting.dashboard.compared import compared
from seqrec.reporting.dashboard.content import content
from seqrec.reporting.dashboard.page import write_page
from tests.dashboard.conftest import HOSTILE
from tests.export.browser import Browser

pytestmark = pytest.mark.thorough

MODELS = "[...document.querySelectorAll('tr.method')].map(row => row.querySelector('label').textContent)"
ROWS = "[...document.querySelectorAll('tr.method')].map(row => METHODS[row.dataset.id].name)"


@pytest.fixture(scope="session")
def page(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = collect([several])
    about = {"made": "2026-01-02 03:04", "version": "0.1"}
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, content(found, [compared(part, 0) for part in found.parts], [], about))
    return path


@pytest.fixture
def opened(page: Path, browser: Browser) -> Browser:
    browser.resize(1280, 900)
    show(browser, page)
    return browser


def show(browser: Browser, page: Path, anchor: str = "") -> None:
    """Open the page anew: with another anchor alone Chromium would stay where it is."""
    browser.open("about:blank")
    browser.watch()
    browser.open(f"file://{page}{anchor}")
    end = time.monotonic() + 30
    while not browser.value("document.body?.dataset.ready === 'true'"):
        assert time.monotonic() < end, browser.complaints()
        time.sleep(0.05)


def click(browser: Browser, selector: str) -> None:
    browser.value(f"document.querySelector({json.dumps(selector)}).click()")


def change(browser: Browser, name: str, value: str, event: str) -> None:
    found = f"document.getElementById('{name}')"
    browser.value(
        f"{found}.value = {json.dumps(value)}; {found}.dispatchEvent(new Event('{event}', {{bubbles: true}}))"
    )


def test_nothing_leaves_the_page_and_nothing_goes_wrong(opened: Browser, page: Path) -> None:
    for link in ("runs", "curves", "comparison", "slices", "cards"):
        click(opened, f"nav a[href='#{link}']")
        assert opened.value("location.hash.slice(1).split('?')[0]") == link
    assert opened.requests() == [f"file://{page}"]
    assert opened.complaints() == []
    text = page.read_text(encoding="utf-8")
    outside = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert set(re.findall(r"https?://[^\"' ]+", outside)) == {"http://www.w3.org/2000/svg"}


def test_the_policy_of_the_page_refuses_requests_and_foreign_scripts(opened: Browser) -> None:
    assert opened.value("fetch('https://nowhere.invalid/').then(() => 'sent', error => error.name)") == "TypeError"
    assert any("Content Security Policy" in json.dumps(event) for event in opened.complaints())
    opened.value(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.mine = 1'}))"
    )
    assert opened.value("window.mine") is None
    assert all(not url.startswith("https://nowhere") for url in opened.requests())


def test_names_of_runs_are_text(opened: Browser) -> None:
    assert HOSTILE in opened.value(MODELS)
    click(opened, f"input[data-id='{opened.value(ROWS).index(HOSTILE)}']")
    assert opened.value("document.querySelectorAll('script').length") == 2
    assert opened.value("document.querySelectorAll('main img').length") == 0
    assert opened.value("window.broken") is None


def test_rows_are_sorted_within_their_part(opened: Browser) -> None:
    first = ["sasrec dim=64", "sasrec dim=16", HOSTILE, "gru4rec", "bpr", "caser", "lrurec"]
    assert opened.value(ROWS) == first  # test NDCG, highest first
    click(opened, "[data-sort=ndcg]")
    assert opened.value(ROWS) == [*reversed(first[:5]), *first[5:]]
    assert opened.value("document.querySelector('[aria-sort]').ariaSort") == "ascending"
    opened.value("document.querySelector('[data-sort=name]').focus()")
    opened.press("Enter", 13)
    assert opened.value(ROWS) == [HOSTILE, "bpr", "gru4rec", "sasrec dim=16", "sasrec dim=64", "caser", "lrurec"]
    assert opened.value("document.activeElement.dataset.sort") == "name"


def test_rows_are_filtered_by_model_data_and_text(opened: Browser) -> None:
    change(opened, "model", "sasrec", "input")
    assert opened.value(ROWS) == ["sasrec dim=64", "sasrec dim=16"]
    change(opened, "text", "DIM=64", "input")
    assert opened.value(ROWS) == ["sasrec dim=64"]
    assert opened.value("document.getElementById('shown').textContent") == "1 of 7 methods shown, 1 run"
    click(opened, "#clear")
    change(opened, "text", "no memory", "input")
    assert opened.value(ROWS) == ["lrurec"]
    assert "failed: no memory left" in opened.value("document.querySelector('tr.method').textContent")
    change(opened, "text", "", "input")
    change(opened, "data", "synthetic", "input")
    assert len(opened.value(ROWS)) == 7


def test_a_bundle_has_its_size(opened: Browser) -> None:
    click(opened, "[data-sort=bundle]")
    assert opened.value(ROWS)[0] == "sasrec dim=64"
    assert opened.value(
        "[...document.querySelectorAll('tr.method')].map(row => /[0-9.]+ MB/.exec(row.textContent)?.[0])"
    )[:2] == [
        "2.50 MB",
        None,
    ]


def test_seeds_are_a_mean_that_unfolds(opened: Browser, page: Path) -> None:
    row = "[...document.querySelectorAll('tr.method')].find(row => row.textContent.startsWith('gru4rec'))"
    mean = r"/0\.\d{4} ± 0\.\d{4}/"
    assert opened.value(f"{mean}.test({row}.textContent)")
    assert opened.value("document.querySelectorAll('tr.seed').length") == 0
    opened.value(f"{row}.querySelector('button').click()")
    assert opened.value(f"{row}.querySelector('button').ariaExpanded") == "true"
    seeds = opened.value("[...document.querySelectorAll('tr.seed')].map(row => row.textContent)")
    assert [text[:6] for text in seeds] == ["seed 0", "seed 1"] and all("gru-" in text for text in seeds)


def test_curves_comparison_slices_and_cards_follow_the_choice(opened: Browser) -> None:
    click(opened, "#clear")
    assert "Choose finished runs" in opened.value("document.getElementById('comparison').innerText")
    names = opened.value("METHODS.map(method => method.name)")
    for name in ("sasrec dim=64", "gru4rec"):
        click(opened, f"input[data-id='{names.index(name)}']")
    assert opened.value("document.querySelectorAll('#val-chart polyline').length") == 3  # one, and two seeds
    assert opened.value("document.querySelectorAll('#train-chart polyline').length") == 3
    assert opened.value(
        "[...document.querySelectorAll('#comparison tbody tr')].map(row => row.querySelector('th').innerText)"
    ) == ["gru4rec\nless\nsasrec dim=64"]
    assert opened.value("document.querySelector('#comparison tbody tr td:last-child').textContent") == "sasrec dim=64"
    assert opened.value("document.querySelectorAll('#slices svg').length") == 2
    fields = opened.value("[...document.querySelectorAll('#cards tbody tr')].map(row => row.dataset.field)")
    assert {"model", "command", "test NDCG@10"} <= set(fields) and "protocol" not in fields
    click(opened, "#differing")
    assert "protocol" in opened.value("[...document.querySelectorAll('#cards tbody tr')].map(row => row.dataset.field)")


def test_what_cannot_be_compared_says_why(opened: Browser) -> None:
    names = opened.value("METHODS.map(method => method.name)")
    click(opened, "#clear")
    for name in ("bpr", "gru4rec", "caser"):
        click(opened, f"input[data-id='{names.index(name)}']")
    said = opened.value("document.getElementById('comparison').innerText")
    assert "blind has no per_user.parquet, so its users cannot be compared" in said
    assert "synthetic, all_items and synthetic, unseen_items are not compared, as they differ in:" in said
    assert "protocol: all_items and unseen_items" in said
    assert opened.value("document.querySelectorAll('#cards tr.decides').length") == 2


def test_a_link_keeps_what_is_shown(opened: Browser, page: Path) -> None:
    names = opened.value("METHODS.map(method => method.name)")
    click(opened, "#clear")
    click(opened, f"input[data-id='{names.index('bpr')}']")
    change(opened, "cutoff", "20", "change")
    click(opened, "[data-sort=mrr]")
    anchor, before = opened.value("location.hash"), opened.value(ROWS)
    assert opened.value("document.querySelector('[data-sort=ndcg]').textContent") == "NDCG@20"
    show(opened, page, anchor)
    assert opened.value(ROWS) == before
    assert opened.value("document.querySelector('[data-sort=ndcg]').textContent") == "NDCG@20"
    assert opened.value("[...document.querySelectorAll('#curve-keys .key')].map(key => key.textContent)") == ["bpr"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_tables_scroll_and_the_page_does_not(opened: Browser, page: Path, scheme: str) -> None:
    opened.resize(375, 760)
    opened.colours(scheme)
    show(opened, page)
    assert opened.value("document.documentElement.scrollWidth") == 375
    assert opened.value(
        "document.querySelector('#runs .box').scrollWidth > document.querySelector('#runs .box').clientWidth"
    )
    ground = opened.value("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]")
    assert (int(ground) > 128) == (scheme == "light")
    opened.colours("")


def test_runs_without_any_result_have_a_page_too(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "failed.txt").write_text("job 0 (model=bpr): it failed\n")
    write_page(tmp_path / "report.html", content(collect([tmp_path]), [], [], {"made": "now", "version": "0"}))
    show(browser, tmp_path / "report.html")
    assert browser.value(ROWS) == ["bpr"] and browser.complaints() == []
