"""Other spellings of a command line, rewritten before Hydra reads it."""

from __future__ import annotations

from pathlib import Path

CONFIG_PATH = ("--config-path", "-cp")


def normalise(arguments: list[str]) -> list[str]:
    """The command line as Hydra is to read it.

    Args:
        arguments: of the program, without its name.
    """
    return _absolute_config_path(arguments)


def _absolute_config_path(arguments: list[str]) -> list[str]:
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
