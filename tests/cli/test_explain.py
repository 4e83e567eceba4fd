"""--explain: which files and arguments set a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqrec.cli import main as command_line
from seqrec.cli.explain import explain
from seqrec.cli.overrides import check_configuration


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A configuration with every way to set a value."""
    files = {
        "config": "defaults: [_self_, {data: toy}, {model: big}, {override hydra/launcher: basic}]\nseed: 0\n",
        "data/base": "size: 1\nseed: ${seed}\n",
        "data/toy": "defaults: [base, _self_]\nsize: 2\nparts: [1, 2]\n",
        "model/big": "# @package _global_\ndefaults: [part@model.part: one]\ndata: {size: 3}\nmodel: {name: null}\n",
        "model/part/one": "dim: 8\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def lines(key: str, conf: Path, *arguments: str) -> list[str]:
    return [line.replace(f"{conf}/", "") for line in explain(key, list(arguments), conf)]


def test_the_chain_of_a_value(conf: Path) -> None:
    chain = "1 data/base.yaml -> 2 data/toy.yaml -> 3 model/big.yaml"
    assert lines("data.size", conf) == [f"data.size = 3: {chain}"]
    assert lines("data.size", conf, "data.size=4") == [f"data.size = 4: {chain} -> 4 command line"]
    given = lines("model.part.dim", conf, "model.part={dim:4}")
    assert given == ["model.part.dim = 4: 8 model/part/one.yaml -> 4 command line"]


def test_packages_lists_null_and_references(conf: Path) -> None:
    assert lines("model.part.dim", conf) == ["model.part.dim = 8: 8 model/part/one.yaml"]
    assert lines("data.parts", conf) == ["data.parts = [1, 2]: [1, 2] data/toy.yaml"]
    assert lines("data.parts.1", conf) == ["data.parts.1 = 2: 2 data/toy.yaml"]
    assert lines("model.name", conf) == ["model.name = null: null model/big.yaml"]
    assert lines("data.seed", conf, "seed=5") == ["data.seed = 5: ${seed} data/base.yaml"]


def test_of_a_node_all_values_are_explained(conf: Path) -> None:
    assert [line.partition(" ")[0] for line in lines("data", conf)] == ["data.size", "data.seed", "data.parts"]


def test_unknown_key(conf: Path) -> None:
    with pytest.raises(ValueError, match=r"data has no key 'sizes'; did you mean data\.size\?"):
        explain("data.sizes", [], conf)


@pytest.mark.parametrize("key", ["data.batch_size", "trainer.max_epochs", "model.optimizer.lr", "model.backbone.dim"])
def test_the_last_of_the_chain_is_the_value(key: str) -> None:
    line = ["model=easnrec", "data=beauty"]
    (explained,) = explain(key, line)
    value, _, chain = explained.removeprefix(f"{key} = ").partition(": ")
    assert chain.rpartition("-> ")[2].split(" ")[0] == value
    config = check_configuration(line, targets=False)
    section, _, name = key.partition(".")
    node = config[section]
    for part in name.split("."):
        node = node[part]
    assert value == str(node)


def test_on_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["main.py", "model=sasrec", "--explain", "data.batch_size", "data.batch_size=7"])
    command_line.entry()
    assert capsys.readouterr().out.endswith("-> 7 command line\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain", "data.batchsize"], "did you mean data.batch_size?"),
        (["--explain"], "--explain takes a key"),
        (["--explain", "data.batch_size", "model=sasrek"], "did you mean 'sasrec'?"),
    ],
)
def test_mistakes(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["main.py", *arguments])
    with pytest.raises(SystemExit) as end:
        command_line.entry()
    assert (end.value.code, message in capsys.readouterr().err) == (2, True)
