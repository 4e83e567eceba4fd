"""A part chosen on the command line is never silently replaced by a file of settings."""

from __future__ import annotations

import pytest

from seqrec.cli.overrides import check_configuration


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "paper=fenrec model=gru4rec data=beauty model/loss=ce_all",
            "model/loss=ce_all: conf/paper_settings/fenrec/gru4rec/base.yaml has a part of its own in model.loss, "
            "which would replace this one; paper_settings=none leaves that file out",
        ),
        ("paper=fenrec model=sasrec data=toys model/backbone=gru", "in model.backbone, .*; paper_settings=none leaves"),
        ("paper=easnrec model=bpr data=ml1m protocol=all_items", "in protocol, .*; paper_settings=none leaves"),
        ("model=bert4rec data=ml1m windows=prefixes", "settings/bert4rec/ml1m.yaml .* data.windows, .*; settings=none"),
        ("model=sasrec data=beauty model/optimizer=lazy_adam", "in model.optimizer, .*; settings=none leaves"),
    ],
)
def test_a_choice_that_would_do_nothing_is_refused(arguments: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_configuration(arguments.split(), targets=False)


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        ("paper=fenrec model=gru4rec data=beauty model/loss=ce_all paper_settings=none", "model.loss", "next_item"),
        ("model=sasrec data=beauty model/optimizer=lazy_adam settings=none", "model.optimizer", "LazyAdam"),
        ("model=bert4rec data=ml1m windows=last_window", "data.windows", "last_window"),  # the same part
        ("paper=easnrec model=sasrec data=ml1m windows=last_window", "data.windows", "last_window"),
        ("paper=easnrec model=caser data=ml1m model/backbone=gru settings=none", "model.backbone", "GRU"),
    ],
)
def test_a_choice_is_what_is_composed(arguments: str, key: str, value: str) -> None:
    node = check_configuration(arguments.split(), targets=False)
    for part in key.split("."):
        node = node[part]
    assert str(node["_target_"]).rpartition(".")[2] == value
