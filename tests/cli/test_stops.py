"""SIGTERM and Ctrl+C, and what Lightning makes of them."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from pytorch_lightning.utilities.exceptions import SIGTERMException

from seqrec.cli.stops import Terminated, leaving_at_once, stop_of, terminable


def test_sigterm_ends_what_runs_and_the_handler_goes_with_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated) as end, terminable():
        signal.raise_signal(signal.SIGTERM)
    assert stop_of(end.value) == end.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_launcher_s_own_handler_stays() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_lightning_s_ends_have_the_status_of_their_signals() -> None:
    assert stop_of(SIGTERMException()) == 143
    assert stop_of(KeyboardInterrupt()) == 130
    with pytest.raises(SystemExit) as end:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904  # as Lightning does
    assert stop_of(end.value) == 130
    assert stop_of(SystemExit(2)) is None


def test_ctrl_c_among_the_imports_ends_the_program_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception there would interrupt an import that a library tries, and surface as another one later."""
    monkeypatch.setattr(os, "_exit", sys.exit)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as end, leaving_at_once():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with leaving_at_once():  # as a shell sets it for what runs in the background
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped before the run began\n"
