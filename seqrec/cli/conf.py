"""Where the configuration lies."""

from __future__ import annotations

from pathlib import Path

import seqrec


def conf_folder() -> Path:
    """The folder of ``config.yaml``: inside the package where it was installed, beside it in a checkout.

    An editable install runs the checkout, so an edit of a file there counts at once.
    """
    package = Path(seqrec.__file__).resolve().parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


CONF = conf_folder()
