"""EASNRec's default against its golden file, which a plain transcription of the equations has written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqrec.methods.easnrec.uncertainty import UncertaintyAttention
from seqrec.nn.chosen import Chosen
from tests.methods import easnrec_default as plain
from tests.methods.small_easnrec import of

Stored = dict[str, Tensor]


@pytest.fixture(scope="module")
def stored() -> Stored:
    with np.load(plain.PATH) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def group(stored: Stored, kind: str) -> Stored:
    return {name.removeprefix(f"{kind}/"): value for name, value in stored.items() if name.startswith(f"{kind}/")}


def close(actual: Stored, expected: Stored) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert value.any(), name
        torch.testing.assert_close(actual[name].detach(), value, rtol=1e-9, atol=1e-11, msg=of(name))


def test_the_file_is_what_the_equations_say(stored: Stored) -> None:
    weights = {name: value.clone().requires_grad_() for name, value in group(stored, "in").items()}
    lambdas = {name: float(value) for name, value in group(stored, "lambda").items()}
    terms = plain.step(weights, lambdas)
    close(terms, group(stored, "out"))
    gradients = group(stored, "grad")
    found = torch.autograd.grad(terms["total"], [weights[name] for name in gradients])
    close(dict(zip(gradients, found, strict=True)), gradients)


def test_the_default_does_what_the_file_says(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = plain.model()
    assert {name: float(value) for name, value in group(stored, "lambda").items()} == plain.lambdas_of(model)
    model.load_state_dict(group(stored, "in"))
    for part in model.modules():
        if isinstance(part, UncertaintyAttention):
            monkeypatch.setattr(part, "noise", plain.noise)
    monkeypatch.setattr(model.contrast, "augment", lambda states, *_: states * plain.CHANGE[: states.shape[1]])
    resting = SimpleNamespace(step=lambda: None, zero_grad=lambda: None)
    monkeypatch.setattr(model, "optimizers", lambda: [resting] * len(model.players()))
    monkeypatch.setattr(model, "manual_backward", lambda loss: loss.backward())
    model.train().simultaneous_step(plain.FIRST, Chosen(plain.masked(plain.FIRST)), plain.FIRST.row)
    model.zero_grad()
    terms = model.simultaneous_step(plain.SECOND, Chosen(plain.masked(plain.SECOND)), plain.SECOND.row)

    expected = group(stored, "out")
    close(
        {"total": model.total(terms)} | {name: getattr(terms, name) for name in expected if name != "total"}, expected
    )
    close({name: parameter.grad for name, parameter in model.named_parameters()}, group(stored, "grad"))
