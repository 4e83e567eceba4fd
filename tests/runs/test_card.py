"""Cards of runs: what makes two numbers comparable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seqrec.reporting.pages import ROOT
from seqrec.runs.card import RunCard

STORED = ROOT / "docs" / "runs" / "beauty-fenrec" / "fenrec" / "protocol.json"


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    card = RunCard.read(STORED)
    card.write(tmp_path / "protocol.json")
    assert RunCard.read(tmp_path / "protocol.json") == card
    assert card.monitor == "ndcg@20"


def test_protocols_that_older_versions_named_after_papers_have_their_name_of_today() -> None:
    assert json.loads(STORED.read_text())["protocol"] == "fenrec"
    assert RunCard.read(STORED).protocol == "unseen_items"


def test_differences_name_what_defines_the_number_and_nothing_else() -> None:
    card = RunCard.read(STORED)
    same = replace(card, seed=7, weights="epoch 1 of 2, best val/mrr", git_commit=None, versions={})
    assert card.differences(same) == []
    other = replace(card, cutoffs=[10], data={**card.data, "sha256": "0", "users": 1})
    assert card.differences(other) == ["data.sha256", "data.users", "cutoffs"]
    assert card.differences(same, ("seed", "git_commit")) == ["seed", "git_commit"]


def test_a_file_that_is_no_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "protocol.json").write_text('{"protocol": "all_items"}')
    with pytest.raises(ValueError, match="has data, split, evaluated_users"):
        RunCard.read(tmp_path / "protocol.json")
