"""A part chosen on the command line is never silently replaced by a file of settings."""

from __future__ import annotations

import pytest

from seqrec.cli.overrides import check_configuration


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "paper=fenrec model=gru4rec data=beauty model/loss=ce_all",
            "choose .*sampled instead; write model.loss",
        ),
        (
            "paper=fenrec model=sasrec data=toys model/backbone=gru",
            "_target_=.*GRU, .* paper_settings=none",
        ),
        ("paper=easnrec model=bpr data=ml1m protocol=all_items", "choose unseen_items instead; .* paper_settings=none"),
        ("model=sasrec data=beauty model/optimizer=lazy_adam", "choose torch.optim.AdamW .*LazyAdam, .* settings=none"),
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
        ("paper=easnrec model=bpr data=ml1m protocol=all_items paper_settings=none", "protocol", "Protocol"),
        ("paper=easnrec model=sasrec data=ml1m windows=last_window", "data.windows", "last_window"),
        ("paper=easnrec model=caser data=ml1m model/backbone=gru settings=none", "model.backbone", "GRU"),
    ],
)
def test_a_choice_is_what_is_composed(arguments: str, key: str, value: str) -> None:
    node = check_configuration(arguments.split(), targets=False)
    for part in key.split("."):
        node = node[part]
    assert str(node["_target_"]).rpartition(".")[2] == value
