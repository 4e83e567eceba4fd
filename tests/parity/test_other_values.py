"""Files made with other values than ours: what they say of themselves is what they are compared by.

The variants are second derivations, plain and slow, of the terms that a changed value reaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.parity import icsrec_golden, padded_golden, test_coserec, test_fenrec, test_icsrec
from tests.parity.golden import Golden

TEMPERATURES = (0.5, 2.0)


def contrast(first: Tensor, second: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """InfoNCE row by row over ``2B`` rows; negatives have another label."""
    both, label = torch.cat([first, second]), labels.repeat(2)
    rows = []
    for i in range(len(both)):
        others = [both[j] for j in range(len(both)) if label[j] != label[i]]
        products = torch.stack([both[(i + len(first)) % len(both)], *others]) @ both[i]
        rows.append(torch.logsumexp(products / temperature, 0) - products[0] / temperature)
    return torch.stack(rows).mean()


def icsrec_at(reference: Golden, temperature: float) -> Golden:
    """ICSRec's file at another temperature."""
    made, was = deepcopy(reference), reference.meta["temperature"]
    made.meta["temperature"] = temperature
    arrays = made.arrays
    for name in [name for name in arrays if name.endswith("_logits")]:
        arrays[name] = made[name] * was / temperature
    model = test_icsrec.model_of(made)
    pairs = test_icsrec.views(made, model)
    losses = {name: contrast(*pair, temperature) for name, pair in pairs.items()}
    coarse, fine = losses["cicl"], losses["ficl1"] + losses["ficl2"]
    user, target = pairs["cicl"][0], pairs["cicl"][2]
    recommendation = F.cross_entropy(user @ model.backbone.item_embedding.weight.T, target)
    total = recommendation + made.meta["lambda_0"] * coarse + made.meta["beta_0"] * fine
    total.backward()
    arrays |= {"out/cicl_loss": coarse.detach(), "out/ficl_loss": fine.detach(), "out/total": total.detach()}
    found = icsrec_golden.gradients(model)
    arrays |= {f"grad/{name}": found[name] for name in reference.group("grad/")}
    distinct = torch.arange(len(user))
    free = {name: contrast(first, second, distinct, temperature).detach() for name, (first, second, _) in pairs.items()}
    coarse, fine = free["cicl"], free["ficl1"] + free["ficl2"]
    weighted = made.meta["lambda_0"] * coarse + made.meta["beta_0"] * fine
    total = made["out/no_fnm/rec_loss"] + weighted
    arrays |= {"out/no_fnm/cicl_loss": coarse, "out/no_fnm/ficl_loss": fine, "out/no_fnm/total": total}
    return made


def check_icsrec(reference: Golden) -> None:
    test_icsrec.test_losses_and_gradients(reference)
    test_icsrec.test_without_labels_only_a_row_and_its_view_are_left_out(reference)
    for term in ("cicl", "ficl1", "ficl2"):
        test_icsrec.test_logits(reference, term)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_icsrec_at_another_temperature(golden: Callable[[str], Golden], temperature: float) -> None:
    reference = golden("icsrec")
    made = icsrec_at(reference, temperature)
    check_icsrec(made)
    made.meta["temperature"] = 1.5 * temperature
    for check in (test_icsrec.test_losses_and_gradients, lambda file: test_icsrec.test_logits(file, "cicl")):
        with pytest.raises(AssertionError):
            check(made)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_fenrec_at_another_temperature(golden: Callable[[str], Golden], temperature: float) -> None:
    """Its logits are all over tau_1."""
    made = golden("fenrec")
    was, made.meta["tau1"] = made.meta["tau1"], temperature
    for name in [name for name in made.arrays if name.endswith("_logits")]:
        made.arrays[name] = made[name] * was / temperature
    test_fenrec.test_noise_and_logits(made, made["in/noise"])
    made.meta["tau1"] = 1.5 * temperature
    with pytest.raises(AssertionError):
        test_fenrec.test_noise_and_logits(made, made["in/noise"])


def coserec_at(reference: Golden, temperature: float) -> Golden:
    """CoSeRec's file at another temperature: views over each other and over themselves, row by row."""
    made = deepcopy(reference)
    made.meta["config"]["temperature"] = temperature
    model = test_coserec.build(made)
    first, second = (model.backbone.padded(made[f"in/view{n}"]).flatten(1) for n in (1, 2))
    rows = []
    for own, other in ((first, second), (second, first)):
        for i in range(len(own)):
            products = torch.cat([own[i] @ other.T, (own[i] @ own.T)[torch.arange(len(own)) != i]]) / temperature
            rows.append(torch.logsumexp(products, 0) - products[i])
    loss = torch.stack(rows).mean()
    (made.meta["config"]["cf_weight"] * loss).backward()
    of_contrast = icsrec_golden.gradients(model)  # type: ignore[arg-type]
    before = test_coserec.build(reference)
    weight = reference.meta["config"]["cf_weight"]
    products = reference["out/loss_total"] - weight * reference["out/loss_cl"]
    made.arrays |= {"out/loss_cl": loss.detach(), "out/loss_total": products + weight * loss.detach()}
    first, second = (before.backbone.padded(reference[f"in/view{n}"]).flatten(1) for n in (1, 2))
    both = torch.cat([first, second])
    scores = (both @ both.T / reference.meta["config"]["temperature"]).fill_diagonal_(-torch.inf)
    (weight * F.cross_entropy(scores, torch.arange(len(both)).roll(len(first)))).backward()
    old = icsrec_golden.gradients(before)  # type: ignore[arg-type]
    for name in reference.group("grad/"):
        made.arrays[f"grad/{name}"] = reference[f"grad/{name}"] - old[name] + of_contrast[name]
    return made


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_coserec_at_another_temperature(
    golden: Callable[[str], Golden], to_right: Callable, temperature: float
) -> None:
    reference = golden("coserec")
    made = coserec_at(reference, temperature)
    test_coserec.test_training_step(lambda name: made, to_right)
    made.meta["config"]["temperature"] = 1.5 * temperature
    with pytest.raises(AssertionError):
        test_coserec.test_training_step(lambda name: made, to_right)


def similarities(corpus: Tensor, rows: int) -> dict[str, Tensor]:
    """The two tables ``(V, V)`` by counting pairs, in float64."""
    users: dict[int, set[int]] = {}
    tables = {"itemcf": torch.zeros(rows, rows).double(), "itemcf_iuf": torch.zeros(rows, rows).double()}
    for user, row in enumerate(corpus.tolist()):
        known = set([item for item in row if item][:-3])
        for item in known:
            users.setdefault(item, set()).add(user)
        for i, j in combinations(known, 2):
            for table, weight in (("itemcf", 1.0), ("itemcf_iuf", 1 / math.log(1 + len(known)))):
                tables[table][i, j] += weight
                tables[table][j, i] += weight
    for item, fans in users.items():
        for scores in tables.values():
            scores[item] /= math.sqrt(len(fans))
            scores[:, item] /= math.sqrt(len(fans))
    return tables


def coserec_of(reference: Golden, corpus: Tensor) -> Golden:
    """CoSeRec's file with the similarities of other histories, rounded to float32."""
    made = deepcopy(reference)
    rows = len(reference["out/sim_itemcf"])
    tables = similarities(corpus, rows)
    sims = tables["itemcf_iuf"]
    known, (score, best) = sims.amax(1) > 0, sims.max(1)
    low, high = sims[sims > 0].min(), sims.max()
    scaled = torch.where(known, (score - low) / (high - low), 0.0)
    online = made["out/online_score"]
    made.arrays |= {
        "in/corpus": corpus,
        "out/sim_itemcf": tables["itemcf"].float(),
        "out/sim_itemcf_iuf": sims.float(),
        "out/sim_iuf_minmax": torch.stack([low, high]).float(),
        "out/offline_known": known.long(),
        "out/offline_tie": (sims == score[:, None]).sum(1).gt(1).long(),
        "out/offline_top1": best * known,
        "out/offline_score": scaled.float(),
        "out/hybrid_top1": torch.where(scaled >= online, best * known, made["out/online_top1"]),
    }
    return made


@pytest.mark.parametrize("seed", range(3))
def test_coserec_of_other_histories(
    golden: Callable[[str], Golden], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Rounding is that of the histories: sums of weights in another order, other ties."""
    reference = golden("coserec")
    generator = torch.Generator().manual_seed(seed)
    num_items = reference.meta["config"]["n_items"]
    corpus = torch.randint(1, num_items + 1, (60, 12), generator=generator)
    length = torch.randint(5, 13, (60, 1), generator=generator)
    made = coserec_of(reference, corpus * (torch.arange(12) < length))
    weights = (("itemcf", test_coserec.similarity.equal), ("itemcf_iuf", test_coserec.similarity.inverse_log))
    for table, rule in weights:
        test_coserec.test_similarity_by_users(lambda name: made, monkeypatch, table, rule)
    test_coserec.test_best_neighbours(lambda name: made)
    test_coserec.test_the_epochs_table_follows_the_warm_up(lambda name: made)
    made.arrays["out/offline_score"] = made["out/offline_score"] * (1 + 1e-4)
    with pytest.raises(AssertionError):
        test_coserec.test_best_neighbours(lambda name: made)


def test_a_file_may_name_its_tolerance(golden: Callable[[str], Golden]) -> None:
    reference = golden("icsrec")
    off = reference["out/total"] * (1 + 1e-4)
    with pytest.raises(AssertionError):
        reference.check("out/total", off)
    reference.meta["tolerance"] = 1e-3
    reference.check("out/total", off)
    assert padded_golden.PADDED > 1
