"""What is run on the emulated device: every model, and parts of models that no model has by default, all very small."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from tests.factories import shrink

CONF = Path(__file__).parents[2] / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
FIRST_STAGE = "first stage"  # of a variant that is what warm_start trains

_GBCE = ["model=sasrec", "model/loss=gbce", "model.loss.num_negatives=4"]
_EASNREC = ["model=easnrec"]
_READINGS = "+ablation/easnrec_readings="
VARIANTS = {
    "sasrec, gbce, sparse_items": [*_GBCE, "+overlay=sparse_items"],
    "sasrec, data on the host": ["model=sasrec", "data.on_device=false"],
    "sasrec, bce": ["model=sasrec", "model/loss=bce"],
    "gru4rec, bpr_max": ["model=gru4rec", "model/loss=bpr_max"],
    "gru4rec, shared_softmax": ["model=gru4rec", "model/loss=shared_softmax"],
    "easnrec, alternating": [*_EASNREC, f"{_READINGS}alternating"],
    "easnrec, siamese cnn": [*_EASNREC, "model/siamese=cnn"],
    "easnrec, siamese lstm": [*_EASNREC, "model/siamese=lstm"],
    "easnrec, siamese transformer": [*_EASNREC, "model/siamese=transformer"],
    "easnrec, contrast dsa": [*_EASNREC, "model/contrast=dsa"],
    "easnrec, own discriminator": [*_EASNREC, "model/discriminator=own"],
    "easnrec, one pass": [*_EASNREC, f"{_READINGS}[same_pass,split,encoder_states,floor_plus_one]"],
    "easnrec, other memories": [*_EASNREC, f"{_READINGS}[augmented_embeddings,every_layer,gate,written_slots]"],
    "ecl_sr, alternating": ["model=ecl_sr", "model.adversarial=alternating"],
    "elecrec, alternating": ["model=elecrec", "model.adversarial=alternating"],
    "cl4srec, fenrec overlay": ["model=cl4srec", "+overlay=fenrec", "model.pair_contrast.warmup_epochs=0"],
    "bert4rec, exact_share": ["model=bert4rec", "model/masks=exact_share"],
    "fenrec, full form": ["model=fenrec", "model.pair_contrast.warmup_epochs=0"],
    "s3rec, pre-training": ["model=s3rec", FIRST_STAGE],
}
"""Words of the command line by name."""

MORE = {"maerec": ["model.mask_steps=1"]}  # else a new mask, which is most of what it waits for, is in few steps

DATA = {
    "num_users": 60, "num_items": 50, "shortest": 8, "longest": 30, "max_length": 20, "batch_size": 20,
    "eval_batch_size": 20,
}  # fmt: skip
SHORT = [
    "trainer.max_epochs=2", "trainer.limit_train_batches=2", "+trainer.limit_val_batches=2",
    "+trainer.limit_test_batches=2", "trainer.deterministic=false",
]  # fmt: skip
EMULATED = [
    "trainer.strategy={_target_: tests.device.lightning.strategy}",
    "+trainer.inference_mode=false",  # a wrapper cannot be a view that this mode makes
    "data.on_device=true",  # what auto chooses on a GPU
    "callbacks.progress.line_seconds=3600",  # a line within an epoch would ask for the loss
]


def words(name: str) -> list[str]:
    """The words of the command line of a model or a variant."""
    return VARIANTS.get(name) or [f"model={name}", *MORE.get(name, [])]


def composed(name: str, data: str, cache_dir: Path, *more: str) -> DictConfig:
    """The configuration of a model or a variant at its own sizes, with more words of the command line."""
    given = [word for word in words(name) if word != FIRST_STAGE]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [f"data={data}", f"data.cache_dir={cache_dir}", *more, *given])
    OmegaConf.set_struct(config, False)
    return config


def small(name: str, cache_dir: Path, *more: str) -> DictConfig:
    """The same at the smallest sizes that have all parts, on synthetic data, for a few steps."""
    config = composed(name, "synthetic", cache_dir, *SHORT, *more)
    config.data.update(DATA)
    shrink(config.model)
    if config.warm_start is not None:
        shrink(config.warm_start.model)
    return config
