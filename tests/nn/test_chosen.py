"""The forms of chosen positions against boolean masks."""

from __future__ import annotations

import pytest
import torch

from seqrec.nn.chosen import AllPositions, Chosen, ChosenByIndex, choose
from seqrec.nn.packing import DensePacking, packed_as

MASK = torch.tensor([[False, True, True, False], [False, False, False, False], [True, False, False, True]])
FORMS = [ChosenByIndex(MASK, 4), ChosenByIndex(MASK, 9), AllPositions(MASK)]


@pytest.mark.parametrize("form", FORMS, ids=["as many as needed", "more than needed", "all"])
def test_each_form_does_what_a_mask_does(form: Chosen) -> None:
    exact, x = Chosen(MASK), torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    assert form.exist is not None and exact.exist is None
    values = torch.randn(4, 2, dtype=torch.float64)
    spread = torch.full((len(form.exist), 2), 7.0, dtype=torch.float64)  # where there is none, it must not matter
    spread[form.exist] = values
    assert torch.equal(form.of(x)[form.exist], x[MASK])
    assert torch.equal(form.put(x, spread), exact.put(x, values))
    torch.testing.assert_close(form.add(x, spread), exact.add(x, values), rtol=0, atol=0)
    assert int(form.number) == int(exact.number) == 4

    weight, share = torch.rand(3, 4), form.weight
    assert share is not None and exact.weight is None
    assert torch.equal(form.weighed(weight)[form.exist], weight[MASK])
    assert not form.weighed(weight)[~form.exist].any() and not share[~form.exist].any()
    found = torch.autograd.grad((form.of(x).square().sum(1) * share).sum(), x)[0]
    torch.testing.assert_close(found, torch.autograd.grad(x[MASK].square().sum(1).mean(), x)[0])


@pytest.mark.parametrize("form", [ChosenByIndex(MASK & False, 3), AllPositions(MASK & False)])
def test_nothing_chosen_weighs_nothing(form: Chosen) -> None:
    assert form.weight is not None and not form.weight.any()
    x = torch.randn(3, 4)
    assert torch.equal(form.put(x, torch.ones(len(form.weight))), x)
    assert torch.equal(form.of(x), form.of(x))  # nothing is out of reach


def test_sizes_do_not_depend_on_the_mask() -> None:
    assert type(choose(MASK, 4)) is Chosen
    with packed_as(DensePacking):
        assert type(choose(MASK)) is AllPositions
        wide = torch.zeros(40, 50, dtype=torch.bool)
        sizes = [len(choose(wide, most).of(wide)) for most in (0, 1, 256, 257, 5000)]
        assert sizes == [0, 256, 256, 512, 2000]
        assert len(choose(wide, 41, 1).of(wide)) == 41
