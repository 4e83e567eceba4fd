"""Which folder a run gets: a new one, or that of the run to resume."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqrec.runs.configuration import differences
from seqrec.runs.folder import CONFIG, links_out_of, new_folder, resumable, unfinished
from seqrec.runs.moved import upgraded
from seqrec.runs.processes import folder_here, is_first

FILLED_IN = ("catalog", "name")  # stored by a run, null before it has read its data


def run_folder(
    resume: str | None, model: str, data: str, name: str | None, seed: int, time: str, *, _root_: DictConfig
) -> str:
    """The folder of this run: a new one named by model, data, seed and time, or the one to resume.

    Args:
        resume: None, a run folder, or "auto" for the newest dead and unfinished run of the same configuration. One that
            died in its first epoch begins again in its folder.
        model, data: chosen.
        name: of the data set; own ones are all chosen as ``custom`` and differ in their names.
        seed: of the run.
        time: when it began; Hydra asks several times and must get one answer.
        _root_: the whole configuration.
    """
    prefix = f"outputs/{model}-{_folder_name(str(name)) if name and data == 'custom' else data}-s{seed}"
    if resume is None:
        return str(folder_here(new_folder(prefix, time)))
    if resume != "auto":
        return resume
    for folder in unfinished(prefix, also_locked=not is_first()):
        if links_out_of(folder):
            print(f"resume=auto: {folder} is unfinished, but has links that lead out of it", file=sys.stderr)
            continue
        other = other_keys(_root_, folder)
        if not other:
            return str(folder)
        if not resumable(folder):
            continue
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        print(f"resume=auto: {folder} is unfinished, but another run: {shown}", file=sys.stderr)
    return str(folder_here(new_folder(prefix, time)))


def updated_folder(run: str, time: str) -> str:
    """The folder of an updated run: a new one named as that of its run, by what the run stored.

    Args:
        run: folder of the run to update; what is wrong with it is said when it is read.
        time: when the update began.
    """
    try:
        stored = yaml.safe_load((Path(run).expanduser() / CONFIG).read_text(encoding="utf-8"))
        words = [str(value) for value in (stored["name"], stored["data"]["name"], stored["seed"])]
    except (OSError, ValueError, YAMLError, TypeError, KeyError):
        words = ["update", "of", "nothing"]
    model, data, seed = map(_folder_name, words)
    return str(folder_here(new_folder(f"outputs/{model}-{data}-s{seed}", time)))


def other_keys(asked: DictConfig, folder: Path) -> list[str]:
    """The keys in which the configuration asked for differs from that stored in ``folder``; none if none is stored."""
    if not (folder / CONFIG).exists() and not resumable(folder):
        return []
    try:
        stored = upgraded(OmegaConf.to_container(OmegaConf.load(folder / CONFIG)))
    except (OSError, OmegaConfBaseException, YAMLError) as error:
        return [f"its {CONFIG} cannot be read ({type(error).__name__})"]
    if not isinstance(stored, dict):
        return [f"its {CONFIG} is no configuration"]
    keys = [str(key) for key in asked if key not in ("hydra", "callbacks", "logger", "task")]
    config = OmegaConf.masked_copy(asked, keys)
    OmegaConf.set_struct(config, False)
    config.catalog, config.trainer = stored.get("catalog"), stored.get("trainer")  # a schedule counts the stored epochs
    plain: Any = OmegaConf.to_container(config, resolve=True)
    compared = [key for key in plain if key in stored and key not in FILLED_IN]
    return differences({key: plain[key] for key in compared}, {key: stored[key] for key in compared})


def _folder_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)
