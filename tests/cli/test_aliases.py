"""Short and old spellings of a command line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from seqrec.cli.aliases import normalise
from seqrec.cli.overrides import check_configuration

EXPERIMENTS = Path(__file__).parents[1] / "golden" / "experiments.json.gz"


def test_every_experiment_of_an_older_version_has_its_arguments_of_today() -> None:
    for name, stored in json.loads(gzip.decompress(EXPERIMENTS.read_bytes())).items():
        assert " ".join(normalise([f"+experiment={name}"])[0]) == stored["arguments"]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The names that the spellings need, in files without content."""
    models = ["fenrec", "easnrec", "caser", "bert4rec"]
    data = ["beauty", "sports", "ml1m"]
    papers = ["none", "easnrec", "fenrec"]
    files = {"model": models, "data": data, "paper": papers, "protocol": ["all_items", "unseen_items"]}
    files["windows"] = ["full_chunks"]
    for group, options in (files | {"experiment/bert4rec": ["beauty"], "logger": ["csv", "wandb"]}).items():
        (tmp_path / group).mkdir(parents=True)
        for option in options:
            (tmp_path / group / f"{option}.yaml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+experiment=fenrec/beauty", "paper=fenrec model=fenrec data=beauty"),
        ("experiment=fenrec/beauty", "paper=fenrec model=fenrec data=beauty"),
        ("+experiment=fenrec/ml1m", "paper=easnrec model=fenrec data=ml1m"),
        ("+experiment=easnrec/beauty", "model=easnrec data=beauty"),
        ("+experiment=caser/beauty", "paper=fenrec model=caser data=beauty"),
        ("+experiment=caser/sports", "paper=easnrec model=caser data=sports"),
        ("+experiment=fenrec/beauty data=sports", "paper=fenrec model=fenrec data=sports"),
        ("protocol=easnrec", "protocol=all_items"),
        ("windows=whole", "windows=full_chunks"),
        ("-m protocol=fenrec,easnrec", "-m protocol=unseen_items,all_items"),
    ],
)
def test_old_spellings_are_rewritten_and_said_to_be_old(old: str, new: str, conf: Path) -> None:
    words, (note,) = normalise(old.split(), conf)
    assert words == new.split()
    assert note.startswith("deprecated: ") and "\n" not in note


@pytest.mark.parametrize(
    "line",
    [
        "+experiment=bert4rec/beauty",  # a file
        "+experiment=mine/beauty",  # of a folder of one's own
        "+experiment=fenrec/beautie",  # a typo, which the check reports
        "protocol=all_items seed=1 model=fenrec",
        "protocol.cutoffs=[5]",
    ],
)
def test_others_stay(line: str, conf: Path) -> None:
    assert normalise(line.split(), conf) == (line.split(), [])


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("logger=wandb +logger.tags=[a]", "logger=wandb +logger.wandb.tags=[a]"),
        ("logger=[wandb] logger.project=p", "logger=[wandb] logger.wandb.project=p"),
        ("logger=wandb logger.wandb.project=p", "logger=wandb logger.wandb.project=p"),
        ("logger=wandb +logger.mine={_target_:m.L}", "logger=wandb +logger.mine={_target_:m.L}"),
        ("logger=wandb logger.csv.x=1", "logger=wandb logger.csv.x=1"),
        ("logger=[csv,wandb] logger.project=p", "logger=[csv,wandb] logger.project=p"),
        ("logger=none logger.project=p", "logger=none logger.project=p"),
        ("logger.project=p", "logger.project=p"),
    ],
)
def test_the_only_logger_needs_no_name(short: str, long: str, conf: Path) -> None:
    assert normalise(short.split(), conf) == (long.split(), [])


def test_a_logger_s_key_may_have_a_plus_whether_its_file_lists_it_or_not() -> None:
    words, notes = normalise(["logger=wandb", "+logger.tags=[a]", "logger.project=b", "+logger.prefix=c"])
    assert words[1:] == ["logger.wandb.tags=[a]", "logger.wandb.project=b", "+logger.wandb.prefix=c"]
    assert notes == []


@pytest.mark.parametrize(
    ("given", "windows"),
    [
        ("model=easnrec data=ml1m", "non_overlapping"),  # of its settings
        ("model=easnrec data=ml1m windows=prefixes", "prefixes"),
        ("windows=last_window data=ml1m", "last_window"),
        ("model=easnrec data=ml1m model/loss=ce", "prefixes"),
        ("model=easnrec data=sports model/loss=ce", "prefixes"),
        ("model=ecl_sr data=toys windows=last_window", "last_window"),
        ("model=lrurec data=beauty model/loss=ce", "prefixes"),
        ("model=lrurec data=beauty model/loss=ce windows=last_window", "last_window"),
        ("paper=easnrec model=bert4rec data=ml1m windows=non_overlapping", "non_overlapping"),
        ("model=sasrec data=sports windows=sliding", "sliding"),
    ],
)
def test_windows_of_the_command_line_go_before_those_of_settings(given: str, windows: str) -> None:
    words, notes = normalise(given.split())
    assert not notes and normalise(words)[0] == words  # a second process reads the line of the first
    config = check_configuration(words)
    assert config.data.windows._target_ == f"seqrec.data.windows.{windows}"
    assert ("step" in config.data.windows) == (windows == "sliding")


def test_a_sweep_over_windows_goes_before_settings() -> None:
    words, _ = normalise(["model=easnrec,sasrec", "data=ml1m", "windows=prefixes,last_window"])
    assert words == ["model=easnrec,sasrec", "data=ml1m", "+windows@data.windows=prefixes,last_window"]
    assert check_configuration(words, multirun=True).data.windows._target_ == "seqrec.data.windows.prefixes"


def test_a_command_without_conflicting_settings_stays_as_it_is() -> None:
    words = ["model=sasrec", "data=ml1m", "windows=prefixes"]
    assert normalise(words)[0] == words


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("data.separator=;", ";"),
        ("data.separator=,", ","),
        ("data.separator=\t", "\t"),
        ("data.comment=#", "#"),
        ('data.quote="', '"'),
        ("data.quote='", "'"),
        ("data.time_format=%d.%m.%Y; %H:%M", "%d.%m.%Y; %H:%M"),
        ("data.path=May (1) & June's.csv", "May (1) & June's.csv"),
        ("data.columns.time=Date (UTC)", "Date (UTC)"),
        ("data.separator=';'", ";"),
        ("data.separator=|", "|"),
        (r"data.separator=\s+", r"\s+"),
        ("data.quote=null", None),
    ],
)
def test_text_whose_quotes_the_shell_took_away_is_read(typed: str, value: str | None) -> None:
    (word,), notes = normalise([typed])
    config: Any = check_configuration(["data=custom", "data.path=a.csv", word], targets=False)
    assert OmegaConf.select(config, typed.partition("=")[0]) == value and notes == []


def test_a_sweep_and_its_folder_have_short_names() -> None:
    words, notes = normalise(["sweep=tune_sasrec", "sweep.dir=multirun/first", "+sweep=base"])
    assert words == ["+sweep=tune_sasrec", "hydra.sweep.dir=multirun/first", "+sweep=base"] and not notes
