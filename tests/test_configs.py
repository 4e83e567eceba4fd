"""Every file of the configuration folder composes, passes the check, and its model can be built."""

from __future__ import annotations

import shlex
import shutil
from functools import cache
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from seqrec.cli.overrides import CONF, check_configuration
from tests.factories import build
from tests.plugins import skip_without_plugin

NEEDED = {
    "data/custom": ["data.path=log.csv"],
    "split/files": [
        "data=custom",
        "data.path=train.csv",
        "data.split.validation=val.csv",
        "data.split.test=test.csv",
    ],
    "task/bench_bundle": ["task.bundles=[bundle]"],
    "task/compare": ["task.runs=[one,other]"],
    "task/dashboard": ["task.runs=[multirun]"],
    "task/sweep_table": ["task.folder=multirun"],
    "task/export": ["task.run=run", "task.output=bundle"],
    "task/predict": ["task.run=run", "task.input=users.csv", "task.output=lists.csv"],
    "task/serve": ["task.bundle=bundle"],
    "task/tables": ["task.table=1"],
    "task/tune": ["task.models=[sasrec]"],
    "task/update": ["task.run=run", "data.path=log.csv"],
    "warm_start/complementary": ["model=mvs"],
}
OF_ROWS = set(CONF.glob("paper_settings/*/**/*.yaml"))  # test_papers.py checks them with the rows that they are of
FILES = sorted(
    path.relative_to(CONF).with_suffix("").as_posix()
    for path in CONF.glob("*/**/*.yaml")
    if path.stem != "base" and path.relative_to(CONF).parts[0] not in ("hydra", "wandb") and path not in OF_ROWS
)
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml") if path.stem != "base")


OVERLAID = {"fenrec": ["model=duorec"], "sparse_items": ["model=sasrec", "model/loss=gbce"]}


@cache
def choices(model: str) -> dict[str, str]:
    """The option of each group that a model chooses."""
    return dict(check_configuration([f"model={model}"], targets=False).hydra.runtime.choices)


def arguments(file: str) -> list[str]:
    """What a user writes to choose ``group/option``, with a model that has such a choice."""
    top, _, rest = file.partition("/")
    group, _, option = file.rpartition("/")
    if top in ("sweep", "debug"):
        return [f"+{top}={rest}"]
    if top == "ablation":
        return [f"model={rest.partition('/')[0].removesuffix('_readings')}", f"+ablation={rest}"]
    if top == "overlay":  # on a model that it can change
        return [*OVERLAID[rest], f"+overlay={rest}"]
    if top == "settings" and "/" in rest:
        model, data = rest.split("/")
        if model == "bench":  # what a model needs to be timed
            return ["task=bench", f"model={data}"]
        return [f"model={model}", f"data={data}", *NEEDED.get(f"data/{data}", [])]
    if top == "model" and "/" in rest:
        users = [(model, key) for model in MODELS for key in choices(model) if key.partition("@")[0] == group]
        assert users, f"no model chooses an option of {group}"
        model, key = users[0]
        return [f"model={model}", f"{key}={option}", "settings=none"]  # they are for the model's own part
    return [f"{group}={option}", *NEEDED.get(file, [])]


@pytest.fixture(scope="module")
def checked(request: pytest.FixtureRequest) -> tuple[str, DictConfig]:
    """A file, and the configuration that chooses it; two tests share it."""
    file: str = request.param
    skip_without_plugin(arguments(file))
    return file, check_configuration(arguments(file), multirun=file.startswith(("sweep/", "launcher/")))


@pytest.mark.parametrize("checked", FILES, indirect=True, scope="module")
def test_file_passes_the_check(checked: tuple[str, DictConfig]) -> None:
    file, config = checked
    top, _, rest = file.partition("/")
    if top in ("settings", "paper_settings"):
        assert config.hydra.runtime.choices[top] == rest


BUILT = ("ablation", "overlay", "settings")


@pytest.mark.parametrize(
    "checked", [f"model/{m}" for m in MODELS] + [f for f in FILES if f.startswith(BUILT)], indirect=True, scope="module"
)
def test_model_can_be_built(checked: tuple[str, DictConfig]) -> None:
    build(checked[1])


def test_a_copy_of_any_model_may_set_a_batch_size(tmp_path: Path) -> None:
    """All model files are written from the top of the configuration, so that each may set more than ``model``."""
    shutil.copytree(CONF, tmp_path / "conf")
    for model in MODELS:
        file = CONF / "model" / f"{model}.yaml"
        copied = OmegaConf.merge(OmegaConf.load(file), {"data": {"batch_size": 7}})
        text = file.read_text().partition("\n")[0] + "\n" + OmegaConf.to_yaml(copied)
        (tmp_path / "conf" / "model" / f"my_{model}.yaml").write_text(text)
    for model in MODELS:
        config = check_configuration([f"model=my_{model}"], targets=False, conf=tmp_path / "conf")
        assert config.data.batch_size == 7, model


def test_settings_apply_under_any_task(tmp_path: Path) -> None:
    """A task that is new here trains with the settings of the data set; only the bench asks for others."""
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / "task" / "tune.yaml").write_text("_target_: seqrec.tasks.train.train\n")
    row = ["model=fenrec", "data=toys"]
    assert check_configuration([*row, "task=tune"], conf=tmp_path / "conf").model.num_clusters == 1024
    timed = check_configuration([*row, "task=bench"])
    assert (timed.model.num_clusters, timed.model.pair_contrast.warmup_epochs) == (256, 0)


def test_settings_without_a_package_line_are_refused(tmp_path: Path) -> None:
    """They would stand under a key of their own, where nothing reads them."""
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / "settings" / "sasrec" / "toys.yaml").write_text("data: {batch_size: 7}\n")
    with pytest.raises(ValueError, match="a file of settings must begin with the line '# @package _global_'"):
        check_configuration(["model=sasrec", "data=toys"], conf=tmp_path / "conf")


def test_a_table_of_ablations_passes_the_check() -> None:
    row = ["paper=easnrec", "model=easnrec", "data=sports", "+ablation/easnrec=glob(*)", "seed=0,1,2"]
    assert check_configuration(row, multirun=True).protocol.name == "all_items"
    assert check_configuration(["+sweep=easnrec_ablations"]).hydra.mode.name == "MULTIRUN"


def test_commands_of_the_help_page_pass_the_check() -> None:
    config = OmegaConf.load(CONF / "config.yaml")
    assert isinstance(config, DictConfig)
    template = OmegaConf.to_container(config.hydra.help, resolve=False)["template"]  # type: ignore[call-overload]
    commands = [line.split("main.py ")[1].split("  ")[0] for line in str(template).splitlines() if "main.py " in line]
    assert len(commands) >= 5
    for command in commands:
        words = shlex.split(command)
        check_configuration([word for word in words if "=" in word], multirun="-m" in words)


def test_yaml_outside_of_the_registered_names_fails(tmp_path: Path) -> None:
    """Typos in YAML are found like those on the command line: key of a node, top-level key, target."""
    good = "defaults: [_self_, {model: m}]\nseed: 0\n"
    model = "_target_: seqrec.nn.attention.DotProductAttention\ndim: 8\nnum_heads: 2\ndropout: 0.5\n"
    cases = {
        model + "casual: true\n": "no argument 'casual'; did you mean 'causal'?",
        model: "needs a value for causal",
        model.replace("nn.attention", "nn.atention") + "causal: true\n": "did you mean 'attention'?",
        model.replace("seqrec.nn.attention.DotProductAttention", "os.system"): "may only call seqrec",
        "# @package _global_\nsed: 1\n": "sets 'sed' at the top; did you mean 'seed'?",
        model.replace("dim: 8", "dim: ???") + "causal: true\n": "model.dim is required",
        model.replace("dim: 8", "dim: ${sed}") + "causal: true\n": "'sed' not found",
        model.replace("0.5", "high") + "causal: true\n": "model.dropout is 'high'; it must be a number",
    }
    (tmp_path / "model").mkdir()
    (tmp_path / "config.yaml").write_text(good)
    for text, message in cases.items():
        (tmp_path / "model" / "m.yaml").write_text(text)
        with pytest.raises(ValueError) as caught:
            check_configuration([], conf=tmp_path)
        assert message in str(caught.value), text
    (tmp_path / "model" / "m.yaml").write_text(model + "causal: true\n")
    check_configuration([], conf=tmp_path)
