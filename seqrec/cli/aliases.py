"""Other spellings of a command line, rewritten before Hydra reads it.

Text whose quotes a shell took away; short ones, which stay; those of older versions, which print one line that says
what to write today; and windows, which Hydra alone would let the settings of a data set replace.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from seqrec.cli.conf import CONF

CONFIG_PATH = ("--config-path", "-cp")

TEXT = re.compile(r"(data\.(?:path|attributes|separator|quote|comment|time_format|columns\.\w+))=(.+)", re.DOTALL)
"""Values of a log that are text and nothing else: Hydra reads a shell's ``data.separator=';'`` as a lone ``;``."""

RENAMED = {
    "protocol": {"easnrec": "all_items", "fenrec": "unseen_items"},
    "windows": {"whole": "full_chunks"},
}
"""Names of options in older versions by group, and what they are called today."""

SHORT = {"sweep=": "+sweep=", "sweep.dir=": "hydra.sweep.dir="}
"""What need not be written in full; where a configuration has a ``sweep`` of its own, the full form counts."""

WINDOWS_LAST = "+windows@data.windows="

OF_EASNREC = frozenset({"bpr", "cl4srec", "duorec", "easnrec", "ecl_sr", "elecrec", "mssr", "s3rec", "xlstm_lsr"})
"""Models whose experiments were rows of EASNRec's paper; those of the others were rows of FENRec's."""

OF_BOTH = frozenset({"caser", "gru4rec"})
"""Models with experiments of both: Beauty and Toys of FENRec's paper, the other data sets of EASNRec's."""


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
    words = map(_in_full, _with_logger_names(_with_absolute_config_path(arguments), conf))
    for word in map(_with_quotes, words):
        today = _experiment(word, arguments, conf) or _renamed(word, conf)
        if today:
            notes.append(f"deprecated: {word} is {' '.join(today)} now")
        result += today or [word]
    return _with_windows(result, conf), notes


def _with_windows(words: list[str], conf: Path) -> list[str]:
    """Windows that are asked for go before those that settings choose, although Hydra merges settings after groups.

    Appended at its package, a group comes after the settings. ``model/loss=ce``, where the newest position alone
    learns, asks for prefixes.
    """
    asked = [word for word in words if word.startswith("windows=")]
    if not asked and "model/loss=ce" in words:
        asked = ["windows=prefixes"]
        place = words.index("model/loss=ce") + 1
        words = [*words[:place], *asked, *words[place:]]
    if not asked or any(word.startswith(WINDOWS_LAST) for word in words) or not _settings_choose_windows(words, conf):
        return words
    place, option = words.index(asked[-1]), asked[-1].partition("=")[2]
    swept = "," in option or "(" in option  # as a group and appended, each option would meet each
    return [*words[: place if swept else place + 1], f"{WINDOWS_LAST}{option}", *words[place + 1 :]]


def _settings_choose_windows(words: list[str], conf: Path) -> bool:
    """Whether settings of a chosen model choose the windows, on any data set and for any paper."""
    chosen = [word.partition("=")[2] for word in words if word.startswith("model=")]
    models = chosen[-1].split(",") if chosen and "(" not in chosen[-1] else ["*"]
    files = [file for model in models for file in conf.glob(f"*settings/**/{model}/*.yaml")]
    return any(OmegaConf.select(OmegaConf.load(file), "data.windows._target_") for file in files)


def _experiment(word: str, arguments: Sequence[str], conf: Path) -> list[str]:
    """``+experiment=<model>/<data>``: the model, the data set, and the paper if it has such a row."""
    match = re.fullmatch(r"\+{0,2}experiment=(\w+)/(\w+?)(_easnrec)?", word)
    if match is None or (conf / f"experiment/{word.partition('=')[2]}.yaml").exists():
        return []
    model, data, baseline = match.groups()
    files = (f"model/{model}", f"data/{data}", "paper/easnrec", "paper/fenrec")
    if not all((conf / f"{file}.yaml").exists() for file in files):
        return []
    row = {"paper": "easnrec" if baseline else _paper(model, data), "model": model, "data": data}
    if model == "s3rec" and data in ("beauty", "toys"):
        row["warm_start"] = "s3rec_150_epochs"
    chosen = {argument.partition("=")[0] for argument in arguments}
    return [f"{group}={option}" for group, option in row.items() if option and group not in chosen]


def _paper(model: str, data: str) -> str | None:
    """The paper whose table had the experiment as a row; None where it was the model's own."""
    if data == "ml1m":
        return None if model == "bert4rec" else "easnrec"
    if data in ("beauty", "toys"):
        return None if model in OF_EASNREC else "fenrec"
    return "easnrec" if model in OF_EASNREC | OF_BOTH else "fenrec"


def _renamed(word: str, conf: Path) -> list[str]:
    """An option under its former name, as in ``protocol=fenrec``."""
    group, _, value = word.partition("=")
    options, today = value.split(","), RENAMED.get(group, {})
    if not set(options) & set(today):
        return []
    renamed = [today.get(option, option) for option in options]
    there = all((conf / group / f"{option}.yaml").exists() for option in renamed)
    return [f"{group}={','.join(renamed)}"] if there else []


def _in_full(word: str) -> str:
    if "WANDB_SWEEP_ID" in os.environ and word.endswith("=None"):  # how an agent of wandb writes null
        return f"{word.removesuffix('None')}null"
    short = next((short for short in SHORT if word.startswith(short)), "")
    return SHORT[short] + word.removeprefix(short) if short else word


def _with_quotes(word: str) -> str:
    """The quotes that Hydra needs around what it cannot read without them."""
    match = TEXT.fullmatch(word)
    if match is None or _is_read(word):
        return word
    mark = '"' if "'" in match[2] else "'"
    return f"{match[1]}={mark}{match[2].replace(mark, chr(92) + mark)}{mark}"


def _is_read(word: str) -> bool:
    """Whether Hydra's grammar takes a word as it is; it leaves out blanks at the ends of a value."""
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return not word.endswith((" ", "\t"))


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
    file = conf / "logger" / f"{name}.yaml"
    listed = OmegaConf.select(OmegaConf.load(file), name) if file.exists() else None
    prefix = "logger" if listed and match[2] in listed else match[1]  # + or not, as its file has the key or not
    return f"{prefix}.{name}.{word[match.start(2) :]}"


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
