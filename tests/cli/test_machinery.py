"""A file may set what Hydra itself calls: its callbacks, launcher, sweeper and log handlers."""

from __future__ import annotations

import pytest

from seqrec.cli.overrides import check_configuration


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("+hydra.callbacks.mine={_target_:os.system,command:ls}", "hydra.callbacks.mine._target_ is 'os.system'"),
        ("+hydra.callbacks.mine={_target_:seqrec.runs.files.write_json}", "is 'seqrec.runs.files.write_json'"),
        ("hydra.launcher._target_=subprocess.run", "hydra.launcher._target_ is 'subprocess.run'"),
        ("hydra.sweeper._target_=torch.hub.load", "hydra.sweeper._target_ is 'torch.hub.load'"),
        ("+hydra.job_logging.handlers.mine={class:subprocess.Popen,args:[ls]}", "handlers.mine.class is"),
        ("hydra.job_logging.handlers.file.class=os.system", "handlers.file.class is 'os.system'"),
        ("hydra.hydra_logging.handlers.console.stream=ext://os.environ", "it may be ext://sys.stdout or"),
        ("+hydra.job.env_set.SEQREC_PACKAGES=foreign", "so set SEQREC_PACKAGES in the shell"),
        ("+hydra.job.env_set.LD_PRELOAD=foreign.so", "it decides which code is run"),
        ("+hydra.job.env_set.PYTHONPATH=foreign", "it decides which code is run"),
        ("model.loss._target_='${hydra:job.name}'", "write the dotted name"),
    ],
)
def test_code_is_refused_in_one_line(argument: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_configuration(["model=sasrec", argument])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_hydras_own_parts_pass() -> None:
    check_configuration(["model=sasrec", "+hydra.job.env_set.CUDA_VISIBLE_DEVICES='${hydra:job.num}'"])
    check_configuration(["model=sasrec", "hydra/launcher=basic", "hydra.job_logging.root.level=ERROR"])
    check_configuration(["+hydra.callbacks.log={_target_:hydra.experimental.callbacks.LogJobReturnCallback}"])


def test_variables_of_the_shell_may_be_sent_to_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "mine")
    check_configuration(["hydra.job.env_copy=[PYTHONPATH]"])


def test_a_callback_of_an_allowed_package_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQREC_PACKAGES", "mine")
    check_configuration(["+hydra.callbacks.mine={_target_:mine.callbacks.Note}"])
