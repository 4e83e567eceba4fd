"""What pages are made of: files of the configuration with their comments, docstrings, links."""

from __future__ import annotations

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seqrec.cli.resolvers import register_resolvers
from seqrec.reporting.pages import ROOT
from seqrec.reporting.site.conf_files import Choice, Key, defaults, read_conf, read_file
from seqrec.reporting.site.described import plain
from seqrec.reporting.site.key_pages import COLUMNS
from seqrec.reporting.site.links import rewritten
from seqrec.reporting.site.markup import comment, escaped, table

TEXT = """# @package _global_
# What it does.
#   python main.py +some=thing
defaults:
  - loss@model.loss: ce   # all items
  - override /windows: prefixes
  - base
  - _self_
model:          # of this file
  rate: 0.5     # between 0 and 1
  # Before the key.
  sizes: [1,
    2]
  text: |-
    a # b
  name: "a # b"  # quoted
  empty:
trainer: {}
"""


def test_a_file_is_read_with_its_comments() -> None:
    file = read_file("model/some", TEXT)
    assert file.head == "What it does.\n  python main.py +some=thing"
    assert file.package == "" and file.parts == ("model/base",)
    assert file.choices == (
        Choice("model/loss", "model.loss", "ce", "all items", False),
        Choice("windows", "windows", "prefixes", "", True),
    )
    assert file.keys == (
        Key("model", "", "of this file"),
        Key("model.rate", "0.5", "between 0 and 1"),
        Key("model.sizes", "[1, 2]", "Before the key."),
        Key("model.text", "a text", ""),
        Key("model.name", '"a # b"', "quoted"),
        Key("model.empty", "null", ""),
        Key("trainer", "{}", ""),
    )


def test_a_file_that_holds_no_keys_is_refused() -> None:
    with pytest.raises(ValueError, match=r"conf/some/list.yaml holds no keys"):
        read_file("some/list", "- 1\n")


def test_a_choice_elsewhere_says_where() -> None:
    (choice,) = read_file("model/some", "# @package _global_\ndefaults:\n  - trunk@model.generator: causal\n").choices
    assert choice.name == "model/trunk@model.generator"


@pytest.mark.thorough
def test_defaults_are_those_that_hydra_composes() -> None:
    register_resolvers()
    files = read_conf(ROOT / "conf")
    names = [name.removeprefix("model/") for name, file in files.items() if file.group == "model"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for name in names:
            plain_settings = ["settings=none", "paper_settings=none", "data=ml100k"]
            config = compose("config", overrides=[f"model={name}", *plain_settings])
            composed = OmegaConf.to_container(config, resolve=False)
            found = defaults(files, name)
            for key in flat(composed):
                if key.partition(".")[0] in ("model", "trainer", "patience"):
                    assert yaml.safe_load(found[key]) == flat(composed)[key], (name, key)


def flat(values: object, above: str = "") -> dict[str, object]:
    """Values by dotted key; an empty or plain one where nothing lies below."""
    if not isinstance(values, dict) or not values:
        return {above: values}
    found: dict[str, object] = {}
    for key, value in values.items():
        found |= flat(value, f"{above}.{key}" if above else str(key))
    return found


PLACES = {"docs/other.md": "other.md", "README.md": "index.md", "conf/data/beauty.yaml": "keys/data.md#data-beauty"}


@pytest.mark.parametrize(
    ("link", "alone", "hosted"),
    [
        ("[page](../other.md#part)", "[page](../other.md#part)", None),
        ("[top](../../README.md)", "[top](../index.md)", None),
        ("[keys](../../conf/data/beauty.yaml)", "[keys](../keys/data.md#data-beauty)", None),
        ("[here](#part)", "[here](#part)", None),
        ("[out](https://example.org/a)", "[out](https://example.org/a)", None),
        ("[`x.py`](../../seqrec/x.py)", "`x.py`", "[`x.py`](https://host/a/b/blob/HEAD/seqrec/x.py)"),
        ("[code](../../x.py)", "code (`x.py`)", "[code](https://host/a/b/blob/HEAD/x.py)"),
        ("```\n[a](../../x.py)\n```\n", "```\n[a](../../x.py)\n```\n", None),
    ],
)
def test_links_are_turned(link: str, alone: str, hosted: str | None) -> None:
    at = ("docs/folder/page.md", "folder/page.md", PLACES.get)
    assert rewritten(link, *at, None) == alone
    assert rewritten(link, *at, "https://host/a/b/") == (hosted or alone)


def test_markdown_shows_text_as_it_stands() -> None:
    assert escaped("a_b <c> `d_e` [1|2]") == "a\\_b &lt;c> `d_e` \\[1\\|2\\]"
    assert (
        comment("One.\n  python main.py\nTwo\nlines.") == "\nOne.\n\n\n```bash\npython main.py\n```\n\n\nTwo lines.\n"
    )
    assert table(COLUMNS, []) == ""
    assert plain("see :class:`~seqrec.data.Batch`, :meth:`a.b <seqrec.a.b>`") == "see `Batch`, `a.b`"
