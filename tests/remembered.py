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
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf, grammar_parser

from seqrec.cli.conf import CONF

PLACES = {str(CONF), "hydra.conf", ""}
"""Sources whose files are the same for the whole session: this project's, Hydra's own, and registered classes."""


def remember_reads(patch: pytest.MonkeyPatch) -> None:
    """A text is read as YAML, one with ``${...}`` parsed, and a list of files merged, once; each reader gets a copy.

    Nor does Hydra put down all choices for each file of a composition where no choice refers to another. Together they
    are most of a composition.
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

    original_merge, merged = ConfigLoaderImpl._compose_config_from_defaults_list, {}

    def merge(loader: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> DictConfig:
        sources = [source.path for source in repo.get_sources()]
        if not PLACES.issuperset(sources):
            return original_merge(loader, defaults, repo)
        key = (*sources, repr(defaults))
        if key not in merged:
            merged[key] = pickle.dumps(original_merge(loader, defaults, repo))
        copy: DictConfig = pickle.loads(merged[key])
        return copy

    parse = cache(grammar_parser.parse)
    patch.setattr(OmegaConf, "load", staticmethod(load))
    patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge)
    patch.setattr(defaults_list, "_create_interpolation_map", needed)
    for module in (omegaconf.base, omegaconf._utils):
        patch.setattr(module, "parse", parse)
