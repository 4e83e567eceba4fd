"""What tests read again and again: files of configurations, and how Hydra and OmegaConf read them."""

from __future__ import annotations

import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import omegaconf
import pytest
from hydra._internal import defaults_list
from omegaconf import DictConfig, OmegaConf, grammar_parser


def remember_reads(patch: pytest.MonkeyPatch) -> None:
    """A text is read as YAML, and one with ``${...}`` parsed, once; each reader gets a copy of its own.

    Nor does Hydra put down all choices for each file of a composition where no choice refers to another. Together they
    are two thirds of a composition.
    """
    original, read = OmegaConf.load, {}

    def load(file: Any) -> Any:
        if isinstance(file, str | os.PathLike):
            text = Path(file).read_text(encoding="utf-8")
        else:
            text = file.read()
            file.seek(0)
        if text not in read:
            read[text] = pickle.dumps(original(file))  # whose error names the file
        return pickle.loads(read[text])

    choices = defaults_list._create_interpolation_map

    def needed(overrides: Any, defaults: list[Any], self_added: bool) -> DictConfig:
        refers = any("${" in str(default) for default in defaults)
        return choices(overrides, defaults, self_added) if refers else OmegaConf.create()

    parse = cache(grammar_parser.parse)
    patch.setattr(OmegaConf, "load", staticmethod(load))
    patch.setattr(defaults_list, "_create_interpolation_map", needed)
    for module in (omegaconf.base, omegaconf._utils):
        patch.setattr(module, "parse", parse)
