"""What every model of conf/model must do; a new YAML file is tested without another line here.

Models of your own, in a configuration folder elsewhere: ``pytest tests/test_models.py --config-dir DIR``.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from seqrec.backbones.base import Backbone
from seqrec.backbones.factors import Factors
from seqrec.backbones.lru.unit import LinearRecurrentUnit
from seqrec.backbones.mssr.pair_scores import PairScores
from seqrec.backbones.xlstm.blocks import BlockDiagonal
from seqrec.data.batch import Batch
from seqrec.data.sets.markov_world import World
from seqrec.data.sets.synthetic import Synthetic
from seqrec.methods.base import Recommender
from seqrec.metrics import Protocol
from tests.factories import of_parts, quiet_trainer, shrink

CONF = Path(__file__).parents[1] / "conf"
NUM_USERS, NUM_ITEMS, MAX_LENGTH = 60, 50, 20
BATCHES = 10  # of an epoch: enough to move every parameter
ATTRIBUTES = World(NUM_ITEMS, num_types=3, branching=4, period=12, noise=0.1, seed=0).attributes  # of data=synthetic

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore::FutureWarning")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    own: Path | None = metafunc.config.getoption("--config-dir")
    metafunc.parametrize("name", models(own or CONF))


def models(folder: Path) -> list[str]:
    """The names of the models of a configuration folder."""
    found = sorted(path.stem for path in (folder / "model").glob("*.yaml"))
    assert found, f"{folder / 'model'} has no model"
    return found


@pytest.fixture
def config(name: str, request: pytest.FixtureRequest) -> DictConfig:
    """The model's configuration on 50 items, with small dimensions wherever it has such."""
    return composed(name, request.config.getoption("--config-dir")).copy()


@cache
def composed(name: str, own: Path | None) -> DictConfig:
    """What the tests of a model get copies of."""
    search = [f"hydra.searchpath=[file://{own.resolve()}]"] if own else []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        sizes = [f"catalog.num_items={NUM_ITEMS}", f"catalog.num_users={NUM_USERS}", f"data.max_length={MAX_LENGTH}"]
        sizes += [
            f"catalog.num_attributes={int(ATTRIBUTES.max())}",
            f"catalog.attributes_per_item={ATTRIBUTES.shape[1]}",
        ]
        config = compose("config", [f"model={name}", *sizes, *search])
    shrink(config.model)
    return config


def build(config: DictConfig) -> Recommender:
    torch.manual_seed(0)
    model: Recommender = instantiate(config.model, _convert_="all")
    return model


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def data(config: DictConfig, prepared: Path) -> Synthetic:
    """60 short histories under the model's own training windows."""
    size = {"num_users": NUM_USERS, "shortest": 8, "longest": 30, "num_items": NUM_ITEMS, "cache_dir": str(prepared)}
    made: Synthetic = instantiate(OmegaConf.merge(config.data, size, {"batch_size": 20}))
    made.setup()
    return made


@pytest.fixture
def batch(data: Synthetic) -> Batch:
    """Eight validation histories, the shortest and the longest among them."""
    windows = data.splits["val"]
    by_length = torch.argsort(windows.lengths)
    return windows.batch(torch.cat([by_length[:4], by_length[-4:]]), MAX_LENGTH)


@pytest.fixture(scope="module")
def originals() -> dict[str, Recommender]:
    """Trained models by name; tests get copies."""
    return {}


@pytest.fixture
def trained(name: str, config: DictConfig, data: Synthetic, originals: dict[str, Recommender]) -> Recommender:
    """The model after one short epoch, ready to score."""
    if name not in originals:
        model = build(config)
        quiet_trainer(max_epochs=1, limit_train_batches=BATCHES).fit(model, datamodule=data)
        model.trainer = None
        originals[name] = model.eval()
    return deepcopy(originals[name])


@torch.no_grad()
def scores(model: Recommender, batch: Batch) -> torch.Tensor:
    return model.score(batch.histories)


def test_every_parameter_moves(config: DictConfig, data: Synthetic) -> None:
    model = build(config)
    before = {key: value.detach().clone() for key, value in model.named_parameters() if value.requires_grad}
    quiet_trainer(max_epochs=2, limit_train_batches=BATCHES).fit(model, datamodule=data)
    after = dict(model.named_parameters())
    still = [key for key, value in before.items() if value.numel() and torch.equal(value, after[key])]
    assert not still, f"these did not move in training: {still}"


def test_only_items_are_ranked(trained: Recommender, batch: Batch) -> None:
    result = scores(trained, batch)
    assert result.shape == (len(batch.row), NUM_ITEMS)
    assert bool(torch.isfinite(result).all())


def test_the_padding_row_changes_no_score_unless_declared(trained: Recommender, batch: Batch) -> None:
    def seen() -> list[torch.Tensor]:
        """Scores, and newest states as they are before rounding to float32, which hides small effects."""
        with torch.no_grad():
            return [scores(trained, batch), *(backbone.newest(batch.items) for backbone in backbones(trained))]

    trained.double()
    before, declared = [x.clone() for x in seen()], False
    for module in trained.modules():
        if isinstance(module, Backbone):
            module.item_embedding.weight.data[0] = 7.0
            declared |= module.reads_padding
    assert all(map(torch.equal, seen(), before)) != declared


@pytest.mark.parametrize("remove_seen", [False, True])
def test_checkpoint_round_trip(
    config: DictConfig, trained: Recommender, data: Synthetic, batch: Batch, tmp_path: Path, remove_seen: bool
) -> None:
    path = tmp_path / "model.ckpt"
    trained.protocol = Protocol("test", remove_seen)
    trainer = quiet_trainer()
    trainer.test(trained, datamodule=data, verbose=False)
    metrics, row, rank = trained.ranks.compute()
    trainer.save_checkpoint(path)
    torch.load(path, weights_only=True)
    again = build(config)
    again.protocol = trained.protocol
    quiet_trainer().test(again, datamodule=data, ckpt_path=path, weights_only=True, verbose=False)
    assert torch.equal(scores(again.eval(), batch), scores(trained, batch))
    metrics_again, row_again, rank_again = again.ranks.compute()
    assert metrics_again == metrics
    assert torch.equal(row_again, row)
    assert torch.equal(rank_again, rank)
    assert torch.equal(row, torch.arange(len(data.splits["test"])))


def padded(batch: Batch, columns: int) -> Batch:
    more = torch.zeros(len(batch.row), columns, dtype=torch.int64)
    return batch._replace(
        items=torch.cat([batch.items, more], dim=1), next_items=torch.cat([batch.next_items, more], dim=1)
    )


def some(batch: Batch, rows: slice) -> Batch:
    return of_parts(lambda part: part[rows], batch)


def test_padding_and_batch_mates_change_no_score(trained: Recommender, batch: Batch) -> None:
    trained.double()
    short = some(batch, slice(0, 4))
    longest = int((short.items != 0).sum(1).max())
    assert longest < MAX_LENGTH
    trimmed = short._replace(items=short.items[:, :longest], next_items=short.next_items[:, :longest])
    together = scores(trained, batch)[:4]
    tolerance: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-6}  # scores are float32
    torch.testing.assert_close(scores(trained, trimmed), together, **tolerance)
    torch.testing.assert_close(scores(trained, padded(trimmed, 1)), together, **tolerance)
    torch.testing.assert_close(scores(trained, some(trimmed, slice(2, 3))), together[2:3], **tolerance)


def test_padding_and_batch_mates_change_no_state(trained: Recommender, batch: Batch) -> None:
    trained.double()
    whole, part = batch.items, batch.items[2:3]
    length = int((part != 0).sum())
    for backbone in backbones(trained):
        together = states(backbone, whole)[2:3, :length]
        torch.testing.assert_close(states(backbone, part[:, :length]), together, rtol=1e-9, atol=1e-12)


def test_causal_states_see_no_future(trained: Recommender, batch: Batch) -> None:
    trained.double()
    items = batch.items[-4:]
    cut = items.shape[1] // 2
    future = items.clone()
    future[:, cut:] = torch.where(items[:, cut:] != 0, items[:, cut:] % NUM_ITEMS + 1, 0)
    assert not torch.equal(items, future)
    for backbone in backbones(trained):
        if not backbone.causal:
            for parameter in backbone.parameters():  # small ones, as at the start, can hide that the future is seen
                parameter.data.normal_()
        before, after = states(backbone, items), states(backbone, future)
        if backbone.causal:
            torch.testing.assert_close(after[:, :cut], before[:, :cut], rtol=1e-9, atol=1e-12)
        else:
            assert not torch.allclose(after[:, :cut], before[:, :cut])


def backbones(model: Recommender) -> list[Backbone]:
    """Those that have states."""
    return [module for module in model.modules() if isinstance(module, Backbone) and module.dim]


@torch.no_grad()
def states(backbone: Backbone, items: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = backbone(items)
    return result


READ_BY_THE_MODULE_AROUND = (nn.Embedding, BlockDiagonal)
"""Modules that hold a table or a kernel, which the module around them reads where that is faster than a call."""

READ_WITHIN = {LinearRecurrentUnit: "input", PairScores: "gate"}
"""Linear maps whose weights the module around them changes before it multiplies."""


def test_hooks_see_every_layer_of_a_query(trained: Recommender, batch: Batch) -> None:
    if not isinstance(trained, Recommender):
        pytest.skip("this model counts")
    seen: set[nn.Module] = {trained}
    for module in trained.modules():
        module.register_forward_hook(lambda module, inputs, output: seen.add(module))
    trained.query(batch.histories).sum().backward()
    modules = dict(trained.named_modules())
    missed = set()
    for path, parameter in trained.named_parameters():
        if parameter.grad is None:
            continue
        owner = path.rpartition(".")[0]
        around, _, last = owner.rpartition(".")
        if isinstance(modules[owner], READ_BY_THE_MODULE_AROUND) or READ_WITHIN.get(type(modules[around])) == last:
            owner = around
        while owner:
            if modules[owner] not in seen and not isinstance(modules[owner], nn.ModuleList | Factors):
                missed.add(owner)
            owner = owner.rpartition(".")[0]
    assert not missed


def test_nan_scores_are_refused(
    trained: Recommender, data: Synthetic, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = scores(trained, batch)[:1, :].clone()
    broken[0, 3] = torch.nan
    monkeypatch.setattr(trained, "score", lambda part: broken.expand(len(part.items), -1))
    with pytest.raises(ValueError, match="NaN or infinity"):
        quiet_trainer().validate(trained, datamodule=data, verbose=False)


def test_diverged_weights_are_refused(trained: Recommender, data: Synthetic) -> None:
    weights = list(trained.parameters())
    if not any(weight.numel() for weight in weights):
        pytest.skip("this model has no weights")
    for weight in weights:
        weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN or infinity"):
        quiet_trainer().validate(trained, datamodule=data, verbose=False)


def test_the_same_seed_gives_the_same_model(
    config: DictConfig, trained: Recommender, data: Synthetic, batch: Batch
) -> None:
    again = build(config)
    quiet_trainer(max_epochs=1, limit_train_batches=BATCHES).fit(again, datamodule=data)
    assert torch.equal(scores(again.eval(), batch), scores(trained, batch))
