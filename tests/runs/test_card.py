"""Cards of runs: what makes two numbers comparable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seqrec.data.splits import LEAVE_ONE_OUT, TimeCut, UnseenUsers
from seqrec.reporting.pages import ROOT
from seqrec.runs.card import RunCard, refuse_mixed, weights
from seqrec.runs.origin import Origin

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


def test_runs_of_two_splits_may_not_stand_in_one_table() -> None:
    card = RunCard.read(STORED)
    assert card.split == str(LEAVE_ONE_OUT)  # so runs of all versions may
    refuse_mixed({"a": card, "b": replace(card, seed=7)})
    for split in (TimeCut(), TimeCut(target="all"), TimeCut(0.7), UnseenUsers(), UnseenUsers(seed=1)):
        with pytest.raises(ValueError, match="a and b differ in split; they may not stand in one table"):
            refuse_mixed({"a": card, "c": card, "b": replace(card, split=str(split))})
    assert str(TimeCut()) != str(TimeCut(known_users=True)) != str(TimeCut(target="random", seed=2))


def test_a_file_that_is_no_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "protocol.json").write_text('{"protocol": "all_items"}')
    with pytest.raises(ValueError, match="has data, split, evaluated_users"):
        RunCard.read(tmp_path / "protocol.json")


def test_a_card_of_an_older_version_lacks_what_it_did_not_store() -> None:
    card = RunCard.read(STORED)
    assert (card.model, card.command, card.settings, card.device, card.threads, card.dropped) == (None,) * 6


def test_the_sentence_about_the_weights_says_what_was_taken() -> None:
    assert weights(6, 8, "mrr", selected=True) == "epoch 6 of 8, best val/mrr"
    last = weights(8, 8, "ndcg@10", selected=False)
    assert last == "epoch 8 of 8, the last, not chosen by val/ndcg@10"
    assert replace(RunCard.read(STORED), weights=last).monitor == "ndcg@10"


def test_code_that_continues_a_run_is_added_once() -> None:
    begun = Origin(git_commit="one")
    assert begun.continued("one") == begun.continued(None) == begun
    assert begun.continued("two-dirty").continued("two-dirty").git_commit == "one, two-dirty"
    assert Origin().continued("one").git_commit == "unknown, one"
    card = RunCard.read(STORED)
    assert [replace(card, git_commit=of).dirty for of in (None, "one", "one-dirty, two")] == [False, False, True]


def test_what_was_asked_for_comes_back_as_it_was_written(tmp_path: Path) -> None:
    asked = Origin("sasrec", "python main.py model=sasrec", "sasrec/beauty", None, None)
    asked.write(tmp_path)
    assert Origin.read(tmp_path) == asked
    assert Origin.read(tmp_path / "of an older version") == Origin()
