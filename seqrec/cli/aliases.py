"""Other spellings of a command line, rewritten before Hydra reads it.

Two kinds: short ones, which stay, and those of older versions, which print one line that says what to write today.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from seqrec.cli.conf import CONF

CONFIG_PATH = ("--config-path", "-cp")

PROTOCOLS = {"easnrec": "all_items", "fenrec": "unseen_items"}
"""Names of protocols in older versions, and what they are called today."""

EASNREC = frozenset({"bpr", "cl4srec", "duorec", "easnrec", "ecl_sr", "elecrec", "mssr", "s3rec", "xlstm_lsr"})
"""Models whose experiments were rows of EASNRec's paper; those of the others were rows of FENRec's."""

EASNREC_TOO = {"caser": ("sports", "yelp"), "gru4rec": ("sports", "yelp")}
"""Data sets on which an experiment of another model was a row of EASNRec's paper; on ML-1M all were."""


def normalise(arguments: Sequence[str], conf: Path = CONF) -> tuple[list[str], list[str]]:
    """The command line as Hydra is to read it.

    Args:
        arguments: of the program, without its name.
        conf: folder of the configuration. A spelling that names a file there means that file.

    Returns:
        The arguments, and a line for each old spelling among them.
    """
    result: list[str] = []
    notes: list[str] = []
    for word in _with_logger_names(_with_absolute_config_path(arguments), conf):
        today = _experiment(word, arguments, conf) or _protocol(word, conf)
        if today:
            notes.append(f"deprecated: {word} is {' '.join(today)} now")
        result += today or [word]
    return result, notes


def _experiment(word: str, arguments: Sequence[str], conf: Path) -> list[str]:
    """``+experiment=<model>/<data>``, which was the row of a paper: that paper, the model and the data set."""
    match = re.fullmatch(r"\+{0,2}experiment=(\w+)/(\w+)", word)
    if match is None or (conf / "experiment" / match[1] / f"{match[2]}.yaml").exists():
        return []
    model, data = match.groups()
    files = (f"model/{model}", f"data/{data}", "paper/easnrec", "paper/fenrec")
    if not all((conf / f"{file}.yaml").exists() for file in files):
        return []
    easnrec = data == "ml1m" or model in EASNREC or data in EASNREC_TOO.get(model, ())
    row = {"paper": "easnrec" if easnrec else "fenrec", "model": model, "data": data}
    chosen = {argument.partition("=")[0] for argument in arguments}
    return [f"{group}={option}" for group, option in row.items() if group not in chosen]


def _protocol(word: str, conf: Path) -> list[str]:
    """``protocol=`` with the name of the paper that used it."""
    group, _, value = word.partition("=")
    options = value.split(",")
    if group != "protocol" or not set(options) & set(PROTOCOLS):
        return []
    renamed = [PROTOCOLS.get(option, option) for option in options]
    there = all((conf / "protocol" / f"{option}.yaml").exists() for option in renamed)
    return [f"{group}={','.join(renamed)}"] if there else []


def _with_logger_names(arguments: Sequence[str], conf: Path) -> list[str]:
    """A key below ``logger`` may leave out the logger's name where one logger is chosen."""
    chosen = [word.partition("=")[2].strip("[]") for word in arguments if word.startswith("logger=")]
    if not chosen or not re.fullmatch(r"\w+", chosen[-1]) or chosen[-1] in ("none", "null"):
        return list(arguments)
    return [_with_logger_name(word, chosen[-1], conf) for word in arguments]


def _with_logger_name(word: str, name: str, conf: Path) -> str:
    match = re.match(r"(\+{0,2}logger)\.(\w+)", word)
    if match is None or match[2] == name or (conf / "logger" / f"{match[2]}.yaml").exists() or "_target_:" in word:
        return word
    return f"{match[1]}.{name}.{word[match.start(2) :]}"


def _with_absolute_config_path(arguments: Sequence[str]) -> list[str]:
    """``--config-path`` counts from the current folder; Hydra would count from the file that calls it."""
    result, expected = [], False
    for word in arguments:
        flag, is_assigned, value = word.partition("=")
        if expected and "://" not in word:
            word = str(Path(word).absolute())
        elif flag in CONFIG_PATH and is_assigned and "://" not in value:
            word = f"{flag}={Path(value).absolute()}"
        expected = word in CONFIG_PATH
        result.append(word)
    return result
