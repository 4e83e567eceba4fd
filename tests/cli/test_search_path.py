"""Options and classes of a package of one's own: --config-dir, hydra.searchpath, SEQREC_PACKAGES."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqrec.cli import main as command_line
from seqrec.cli.overrides import check_configuration

BACKBONE = '''
from seqrec.backbones.gru import GRU
from seqrec.methods.next_item import NextItem

class Slow(GRU):
    """Slow."""

    def __init__(self, speed: int = 1, **base: object) -> None:
        super().__init__(**base)


class Patient(NextItem):
    """Patient."""

    backbone: Slow


def system(command: str) -> None: ...
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``mine_<number>`` with a configuration folder; its name is new so that no import is remembered."""
    package = f"mine_{abs(hash(tmp_path)):x}"
    folder = tmp_path / package
    files = {
        "__init__.py": "",
        "parts.py": BACKBONE,
        "conf/__init__.py": "",
        "conf/model/patient.yaml": "defaults: [sasrec, _self_, {override backbone: slow}]\n"
        f"_target_: {package}.parts.Patient\n",
        "conf/model/backbone/slow.yaml": f"defaults: [gru, _self_]\n_target_: {package}.parts.Slow\nspeed: 2\n",
        "conf/model/backbone/detour.yaml": f"defaults: [gru, _self_]\n_target_: {package}.parts.os.system\n",
        "conf/mood/good.yaml": "x: 1\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SEQREC_PACKAGES", package)
    return folder


def options(folder: Path) -> list[str]:
    return [f"hydra.searchpath=['file://{folder / 'conf'}']"]


def test_a_model_of_ones_own_is_checked_like_ours(mine: Path) -> None:
    check_configuration([*options(mine), "model=patient", "model.backbone.speed=3", "model.backbone.dim=8"])
    for line, message in {
        "model.backbone.spead=3": "did you mean model.backbone.speed?",
        "model.backbone.speed=high": "it must be a whole number",
        "model.backbone.dim=high": "it must be a whole number",
        "model/backbone=slo": "did you mean 'slow'?",
        "model/backbone=transformer": "Patient needs a Slow; choose model/backbone=slow",
    }.items():
        with pytest.raises(ValueError) as caught:
            check_configuration([*options(mine), "model=patient", line])
        assert message in str(caught.value)


def test_without_the_folder_there_is_no_such_option(mine: Path) -> None:
    with pytest.raises(ValueError, match="model has no option 'patient'"):
        check_configuration(["model=patient"])


def test_a_folder_inside_a_package(mine: Path) -> None:
    check_configuration([f"hydra.searchpath=[pkg://{mine.name}.conf]", "model=patient"])


def test_the_folder_as_a_flag(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command_line.check(["--config-dir", str(mine / "conf"), "model=patient"])
    command_line.check([f"--config-dir={mine / 'conf'}", "-m", "model=patient,sasrec", "model.backbone.dim=8"])
    command_line.check(["--config-dir", str(mine / "conf"), "hydra.searchpath=[pkg://seqrec]", "model=patient"])
    with pytest.raises(SystemExit):
        command_line.check(["--config-dir", str(mine / "conf"), "model=patiend"])
    assert "did you mean 'patient'?" in capsys.readouterr().err


def test_a_group_of_ones_own(mine: Path) -> None:
    assert check_configuration([*options(mine), "model=sasrec", "+mood=good"]).mood.x == 1


@pytest.mark.parametrize("text", ["x:\t- 1\n\ty: 2\n", "x: {\n", "a: b: c\n"])
def test_a_file_that_is_no_yaml_is_one_line(mine: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "conf" / "data").mkdir()
    (mine / "conf" / "data" / "shop.yaml").write_text(text)
    with pytest.raises(SystemExit) as end:
        command_line.check(["--config-dir", str(mine / "conf"), "model=popularity", "data=shop"])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1 and "shop.yaml" in error


def test_a_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no configuration folder .*nowhere"):
        check_configuration(["hydra.searchpath=[file:///nowhere]"])


def test_a_package_that_is_not_allowed(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQREC_PACKAGES", "")
    with pytest.raises(ValueError, match=f"allow your own package with SEQREC_PACKAGES={mine.name}"):
        check_configuration([*options(mine), "model=patient"])


def test_a_detour_through_an_allowed_module_is_refused(mine: Path) -> None:
    (mine / "parts.py").write_text(f"import os\n{BACKBONE}")
    with pytest.raises(ValueError, match="and that is posix's system"):
        check_configuration([*options(mine), "model=sasrec", "model/backbone=detour"])


@pytest.mark.parametrize(
    "target", ["seqrec.cli.main.os.system", "torch.os.system", "seqrec.runs.origin.subprocess.run"]
)
def test_ours_and_libraries_are_no_detour_either(target: str) -> None:
    with pytest.raises(ValueError, match=r"may only call seqrec, "):
        check_configuration(["model=sasrec", f"model.loss._target_={target}"])
