"""Folders of the user, also where there is no home: in a container, for a user without an account."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir

from seqrec.data.errors import DataError

CACHE = "~/.cache/seqrec"


def expanded(text: str, key: str) -> Path:
    """A path whose ``~`` stands for the home folder.

    Args:
        text: as given.
        key: of the configuration, for messages.

    Raises:
        DataError: there is no such home folder.
    """
    home = _home()
    if text == "~" or text.startswith("~/"):
        if home is None:
            raise DataError(f"{key}={text}: this user has no home folder (HOME is not set); give an absolute path")
        return home / text[2:]
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise DataError(f"{key}={text}: there is no such user; give an absolute path") from None


def cache_folder(text: str) -> Path:
    """The folder of prepared data; without a home folder the default is in ``XDG_CACHE_HOME`` or a temporary one.

    Args:
        text: as given; nothing, such as the value of an empty environment variable, stands for the default.

    Raises:
        DataError: there is no such home folder, or the folder for temporary files is not this user's.
    """
    text = text.strip() or CACHE
    if text != CACHE or _home() is not None:
        return expanded(text, "data.cache_dir")
    if os.path.isabs(os.environ.get("XDG_CACHE_HOME", "")):
        return Path(os.environ["XDG_CACHE_HOME"]) / "seqrec"
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(gettempdir()) / f"seqrec-{user}"
    if folder.exists() and folder.stat().st_uid != user:
        raise DataError(f"{folder} is another user's; set data.cache_dir")
    return folder


def _home() -> Path | None:
    """The home folder by ``HOME`` or by the account; an empty ``HOME`` is none."""
    if os.environ.get("HOME"):
        return Path(os.environ["HOME"])
    try:
        import pwd  # not on Windows

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        named = os.environ.get("USERPROFILE")
        return Path(named) if named else None
