"""The check of a command line, and how a task's errors end, in one process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from seqrec.cli import main as command_line
from seqrec.cli.conf import CONF
from seqrec.cli.overrides import check_configuration

REFUSED = [
    # misspelt: the nearest valid name is given
    ("model.dimm=3", "did you mean model.backbone.dim?"),
    ("dim=3", "did you mean model.backbone.dim?"),
    ("data.batchsize=3", "did you mean data.batch_size?"),
    ("modle=sasrec", "did you mean model?"),
    ("model=sasrek", "did you mean 'sasrec'?"),
    ("model/bakbone=transformer", "did you mean model/backbone?"),
    ("model/backbone=transfomer", "did you mean 'transformer'?"),
    ("optimizer=adam", "did you mean model/optimizer?"),
    ("+modle=sasrec", "did you mean model?"),
    ("hydra/launcher=basik", "hydra/launcher"),
    ("hydra/sweeper=ax", "needs a plugin of Hydra that is not installed: pip install hydra-ax-sweeper"),
    # + and ~
    ("+typo=1", "'typo' is none"),
    ("++typo=1", "'typo' is none"),
    ("+model.typo=1", "model has no key 'typo'"),
    ("+seed=1", "write seed=1"),
    ("+model=sasrec", "write model=sasrec"),
    ("~seed", "loses nothing"),
    ("~model", "loses nothing"),
    # the wrong thing in the wrong place
    ("model.backbone=transformer", "model/backbone=transformer"),
    ("model=popularity model/backbone=transformer", "no backbone of its own"),
    ("model=null", "choose one of"),
    # a method and a backbone that do not go together
    ("model=bpr model/backbone=gru", "model.backbone is a GRU, but BPR needs a Factors; choose model/backbone=factors"),
    ("model=caser model/backbone=lru", "choose model/backbone=caser"),
    ("model=cbit model/backbone=transformer", "choose model/backbone=pre_norm"),
    ("model=coserec model/backbone=transformer", "choose model/backbone=transformer_with_padding"),
    ("model=maerec model/backbone=gru", "choose model/backbone=graph_transformer"),
    ("model=mssr model/backbone=gru", "choose model/backbone=mssr"),
    ("model=elecrec model/backbone=gru", "ELECRec needs a Transformer"),
    ("model=sasrec data=beauty model/backbone=gru", "are for its own backbone: settings=none leaves them out"),
    ("model=easnrec model/backbone=gru", "model/backbone=gru: model=easnrec chooses model/backbone/attention, which"),
    ("data=base", "choose one of"),
    ("data=custom", "data.path is required: add data.path=<value>"),
    ("data.cache_dir=${sede}", "'sede' not found"),
    ("seed.x=1", "it is a single value"),
    # a task that opens a run
    ("task=predict", "model=sasrec: what task=predict opens has its own model; leave it out"),
    ("task=update", "model=sasrec: what task=update opens has its own model; leave it out"),
    # replaced by what is merged later
    (
        "model=sasrec data=beauty model/optimizer=adam",
        "write model.optimizer._target_=torch.optim.Adam, or leave the settings out with settings=none",
    ),
    # splits and filters
    ("split=tim", "did you mean 'time'?"),
    ("split=time data.split.target=frist", "it must be 'first' or 'last' or 'all' or 'random'"),
    ("split=files data=ml1m", "data=ml1m brings no files of a split; choose data=custom"),
    # grammar
    ("seed", "write key=value"),
    ("model={a", "write key=value"),
    ("seed=1,2", "add -m"),
    # values of the wrong type
    ("data.batch_size=abc", "data.batch_size is 'abc'; it must be a whole number"),
    ("data.batch_size=1.5", "it must be a whole number"),
    ("seed=x", "it must be a whole number"),
    ("seed=true", "it must be a whole number"),
    ("patience=x", "it must be a whole number"),
    ("model.backbone.dropout=high", "it must be a number"),
    ("model.backbone.causal=3", "it must be true or false"),
    ("model.backbone.positions=left", "'from_oldest' or 'from_newest'"),
    ("model.optimizer.lr=fast", "it must be a number"),
    ("protocol.cutoffs=[a]", "a list (each a whole number)"),
    ("protocol.cutoffs.0=a", "it must be a whole number"),
    ("trainer.max_epochs=many", "it must be a whole number or null"),
    ("model.loss._target_=os.system", "may only call seqrec"),
]

REFUSED_SWEEPS = [
    ("model=sasrec,sasrek", "did you mean 'sasrec'?"),
    ("model=glob(xx*)", "matches nothing"),
    ("seed=0,1,a", "seed is 'a'"),
    ("seed=0,1 model.dimm=3", "did you mean"),
    ("model=sasrec,popularity model.backbone.dim=8", "in the job with model=popularity"),
    ("model.backbone.dropout=interval(0,1) data.batch_size=interval(0.5,1)", "data.batch_size is 0.5"),
]

ALLOWED = [
    "seed=1 model.backbone.dim=32 model.optimizer.lr=1 data.max_length=20",
    "model/loss=bpr model.loss.num_negatives=4 windows=prefixes",
    "trainer.devices=[0] protocol.cutoffs.0=7 resume=auto",
    "model.backbone={dim:32,num_layers:1}",
    "hydra.run.dir=here hydra.job.chdir=false",
    "trainer=ddp",
]


def words(line: str) -> list[str]:
    """The arguments of a line, with SASRec where it chooses no model: the default may be any."""
    chooses = any(word.lstrip("+~").startswith(("model=", "experiment=")) for word in line.split())
    return line.split() if chooses else ["model=sasrec", *line.split()]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_configuration(words(line))
    assert message in str(caught.value)


@pytest.mark.parametrize(("line", "message"), REFUSED_SWEEPS)
def test_refused_sweep(line: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_configuration(words(line), multirun=True)
    assert message in str(caught.value)


@pytest.mark.parametrize("line", ALLOWED)
def test_allowed(line: str) -> None:
    check_configuration(words(line))


@pytest.mark.parametrize("way", ["model.optimizer._target_=torch.optim.Adam", "settings=none"])
def test_an_option_that_settings_replace_can_be_had(way: str) -> None:
    config = check_configuration(words(f"model=sasrec data=beauty model/optimizer=adam {way}"))
    assert config.model.optimizer._target_ == "torch.optim.Adam"


def test_allowed_sweep() -> None:
    config = check_configuration(
        ["model=sasrec,popularity", "windows=glob(*)", "seed=range(0,3)", "trainer.devices=1"], multirun=True
    )
    assert (config.model._target_, config.seed) == ("seqrec.methods.next_item.NextItem", 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--seed=3", "values have no dashes: seed=3"),
        ("--modle", "--help"),
        ("seed=1 -m model=sasrec", "before or after all"),
        ("-m model=sasrek", "did you mean 'sasrec'?"),
        ("--cfg job model=sasrek", "did you mean 'sasrec'?"),
        ("-m --cfg job seed=1,2", "leave out -m"),
        ("-m seed=1,2 resume=auto", "hydra.sweep.dir=multirun/<time> resumes that one"),
        ("-m seed=1,2 resume=outputs/a/b", "a sweep cannot resume a run; leave out -m"),
    ],
)
def test_flags(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.check(line.split())
    printed = capsys.readouterr()
    assert end.value.code == 2
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1 and message in printed.err


def test_hydra_flags_pass() -> None:
    for line in ("--help", "--hydra-help", "--info", "--cfg job seed=1", "-m seed=1,2", "--config-name config"):
        command_line.check(line.split())


def task(config: DictConfig, kind: str) -> None:
    """A task that fails as ``kind`` says."""
    raise {
        "value": ValueError("line 3:\nno item"),
        "library": RuntimeError("no room\nleft"),
        "bug": KeyError("bug"),
        "stop": KeyboardInterrupt(),
    }[kind]


@pytest.fixture
def own_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a configuration call the task of this file."""
    monkeypatch.setenv("SEQREC_PACKAGES", "tests")


def run(kind: str) -> None:
    target: dict[str, Any] = {"_target_": f"{__name__}.task", "kind": kind}
    command_line.run(OmegaConf.create({"task": target}))


@pytest.mark.usefixtures("own_task")
def test_value_error_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as end:
        run("value")
    assert (end.value.code, capsys.readouterr().err) == (2, "error: line 3: no item\n")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError, match="no item"):
        run("value")


@pytest.mark.usefixtures("own_task")
def test_an_error_of_a_library_is_one_line_that_says_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run("library")
    line = capsys.readouterr().err
    assert end.value.code == 2
    assert line.startswith("error: no room left (HYDRA_FULL_ERROR=1 ") and line.count("\n") == 1


@pytest.mark.usefixtures("own_task")
def test_bug_keeps_its_own_traceback() -> None:
    with pytest.raises(KeyError, match="bug") as caught:
        run("bug")
    assert caught.traceback[-1].name == "task"


@pytest.mark.usefixtures("own_task")
@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("checkpoints/last.ckpt", "resume=run"),
        ("config.yaml", "nothing to resume"),
        ("", "the same command begins again"),
    ],
)
def test_interrupt_says_how_to_go_on(
    written: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hydra = OmegaConf.create({"output_subdir": ".hydra", "runtime": {"output_dir": str(tmp_path / "run")}})
    monkeypatch.setattr(command_line.HydraConfig, "get", lambda: hydra)
    monkeypatch.chdir(tmp_path)
    if written:
        (tmp_path / "run" / "checkpoints").mkdir(parents=True)
        (tmp_path / "run" / written).touch()
    with pytest.raises(SystemExit) as end:
        run("stop")
    assert end.value.code == 130
    assert hint in capsys.readouterr().err


def test_check_imports_no_torch_before_a_typo_is_reported() -> None:
    """A misspelt key must not cost the seconds that importing torch takes."""
    code = "import sys; from seqrec.cli.main import check; check(['--cfg', 'job']);print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


GLOBAL = "# @package _global_\n"
SWEEP = GLOBAL + "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params: "


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The configuration folder with one experiment, two ablations and a sweep more."""
    folder = tmp_path / "conf"
    shutil.copytree(CONF, folder)
    files = {
        "experiment/sasrec/small": GLOBAL + "defaults: [{override /model: sasrec}]\nmodel: {backbone: {dim: 8}}\n",
        "experiment/sasrec/typo": GLOBAL + "model: {backbone: {dimm: 8}}\n",
        "ablation/sasrec/no_dropout": GLOBAL + "model: {backbone: {dropout: 0}}\n",
        "ablation/sasrec/one_layer": GLOBAL + "model: {backbone: {num_layers: 1}}\n",
        "sweep/width": SWEEP + "{model.backbone.dim: '8,16'}\n",
        "sweep/typo": SWEEP + "{model.backbone.dimm: '8,16'}\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_experiments_ablations_and_sweeps(conf: Path) -> None:
    config = check_configuration(["+experiment=sasrec/small", "+ablation=sasrec/no_dropout"], conf=conf)
    assert (config.model.backbone.dim, config.model.backbone.dropout) == (8, 0)
    check_configuration(["+experiment=sasrec/small", "+ablation/sasrec=glob(*)", "seed=0,1"], multirun=True, conf=conf)
    check_configuration(["+sweep=width", "seed=0,1", "model=sasrec"], conf=conf)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("+experiment=sasrec/smal", "did you mean 'sasrec/small'?"),
        ("+experimnt=sasrec/small", "did you mean experiment?"),
        ("experiment=sasrec/small", "write +experiment=sasrec/small"),
        ("ablation/sasrec=one_layer", "write +ablation/sasrec=one_layer"),
        ("+ablation=sasrec/no_drop", "did you mean 'sasrec/no_dropout'?"),
        ("+ablation=no_dropout", "did you mean 'sasrec/no_dropout'?"),
        ("+experiment=sasrec/typo", "no argument 'dimm'; did you mean 'dim'?"),
        ("+typo=1", "+ adds an option of ablation or debug or experiment or overlay or sweep"),
        ("+sweep=typo", "model.backbone.dimm=8: model.backbone has no key 'dimm'"),
    ],
)
def test_refused_experiments_ablations_and_sweeps(line: str, message: str, conf: Path) -> None:
    with pytest.raises(ValueError) as caught:
        check_configuration(words(line), conf=conf)
    assert message in str(caught.value)
