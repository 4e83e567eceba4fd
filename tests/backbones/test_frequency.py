"""BSARec's layer: the filter is a cut-off Fourier transform; padding and newer items take part as they should."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.bsarec.bsarec import BSARec
from seqrec.backbones.bsarec.frequency import FrequencyBranch, low_pass


def cut_spectrum(x: Tensor, cutoff: int) -> Tensor:
    """The released filter: x ``(B, W, D)`` without the bins above ``cutoff // 2``."""
    spectrum = torch.fft.rfft(x, dim=1, norm="ortho")
    spectrum[:, cutoff // 2 + 1 :] = 0
    return torch.fft.irfft(spectrum, n=x.shape[1], dim=1, norm="ortho")


@pytest.mark.parametrize("length", [1, 2, 7, 12, 50])
@pytest.mark.parametrize("cutoff", [1, 3, 5, 8, 100])
def test_low_pass_is_a_cut_spectrum(length: int, cutoff: int) -> None:
    x = torch.randn(3, length, 4, dtype=torch.float64)
    torch.testing.assert_close(low_pass(length, cutoff) @ x, cut_spectrum(x, cutoff))


@pytest.mark.parametrize("beta", [1.0, -1.0])
def test_a_beta_of_one_filters_nothing(beta: float) -> None:
    branch = FrequencyBranch(4, 9, cutoff=3, dropout=0.0, norm_eps=1e-12)
    branch.sqrt_beta.data.fill_(beta)
    x = torch.randn(2, 9, 4)
    torch.testing.assert_close(branch(x, newest=9), F.layer_norm(2 * x, (4,), eps=1e-12))
    torch.testing.assert_close(branch(x, newest=2), F.layer_norm(2 * x[:, -2:], (4,), eps=1e-12))


def backbone(frequency_weight: float, dropout: float = 0.0) -> BSARec:
    torch.manual_seed(0)
    model = BSARec(30, 10, 16, 2, 2, 32, dropout, dropout, frequency_weight, cutoff=3).double()
    model.item_embedding.weight.data *= 20  # far from the linear regime
    return model


ITEMS = torch.tensor([[3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 0, 0, 0, 0], [8, 0, 0, 0, 0, 0, 0]])


def test_newest_is_the_last_state_of_the_whole_pass() -> None:
    model = backbone(0.7)
    states = model(ITEMS)
    torch.testing.assert_close(model.newest(ITEMS), states[torch.arange(3), (ITEMS != 0).sum(1) - 1])


def test_only_the_filter_sees_newer_items() -> None:
    changed = ITEMS.clone()
    changed[0, 4] = 29
    for frequency_weight, older_change in ((0.0, False), (0.7, True)):
        before, after = (backbone(frequency_weight)(items)[0, :4] for items in (ITEMS, changed))
        assert torch.allclose(before, after) != older_change


def test_states_depend_on_padding_but_its_look_ups_learn_nothing() -> None:
    model = backbone(0.7)
    before = model.newest(ITEMS)
    before.sum().backward()
    assert not model.item_embedding.weight.grad[0].any()
    model.item_embedding.weight.data[0] += torch.randn(16)
    changed = (model.newest(ITEMS) != before).any(1)
    assert changed.all()


def test_all_layers_start_with_one_beta_and_padding_is_not_zero() -> None:
    model = backbone(0.7)
    first, second = (layer.get_parameter("frequency.sqrt_beta") for layer in model.layers)
    assert torch.equal(first, second) and first.std() > 0.3
    assert model.item_embedding.weight[0].any()


def test_too_long_histories_and_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="11 items does not fit max_length=10"):
        backbone(0.7).newest(torch.ones(1, 11, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"frequency_weight is 1\.5"):
        backbone(1.5)
    with pytest.raises(ValueError, match="3 heads do not divide"):
        BSARec(30, 10, 16, 2, 3, 32, 0.0, 0.0, 0.7, cutoff=3)
