"""What a configuration may call, and what it may not, however it is spelt."""

from __future__ import annotations

import pytest

from seqrec.runs.targets import find, refuse_foreign

ALLOWED = [
    "torch.nn.GELU",
    "torch.nn.functional.cosine_similarity",
    "torch.nn.functional.gelu",
    "torch.nn.functional.relu",
    "torch.nn.init.xavier_uniform_",
    "torch.optim.Adagrad",
    "torch.optim.lr_scheduler.OneCycleLR",
    "torchmetrics.retrieval.RetrievalMRR",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.LearningRateMonitor",
    "pytorch_lightning.loggers.CSVLogger",
    "pytorch_lightning.plugins.MixedPrecision",
    "pytorch_lightning.plugins.environments.SLURMEnvironment",
    "pytorch_lightning.profilers.SimpleProfiler",
    "pytorch_lightning.strategies.DDPStrategy",
]

FOREIGN = [
    "",
    "builtins.exec",
    "hydra.utils.call",
    "omegaconf.OmegaConf.save",
    "os.system",
    "subprocess.run",
    # a library's functions that execute or load files
    "torch.from_file",
    "torch.hub.load",
    "torch.jit.load",
    "torch.load",
    "torch.ops.load_library",
    "torch.package.PackageImporter",
    "torch.save",
    "torch.serialization.load",
    "torch.utils.cpp_extension.load",
    "pytorch_lightning.LightningModule.load_from_checkpoint",
    "pytorch_lightning.cli.LightningCLI",
    "pytorch_lightning.core.saving.load_hparams_from_yaml",
    # the same through modules that may be named
    "pytorch_lightning.callbacks.os.system",
    "pytorch_lightning.callbacks.model_checkpoint.yaml.unsafe_load",
    "torch.nn.functional.torch.from_file",
    "torch.nn.functional.torch.hub.load",
    "torch.nn.init.torch.load",
    "torch.nn.functional.importlib.import_module",
    "torch.nn.functional.handle_torch_function",
    "torch.nn.torch.load",
    "torch.optim.lr_scheduler.torch.load",
    "torch.os.system",
    # methods and what lies behind a class
    "torch.nn.Module.__init__",
    "torch.nn.Module.load_state_dict",
    "seqrec.methods.next_item.NextItem.load_from_checkpoint",
    "seqrec.metrics.Protocol.__class__",
    # through the project, and the project's own functions that read and write files
    "seqrec.methods.base.torch.load",
    "seqrec.methods.easnrec.easnrec.torch.hub.load",
    "seqrec.runs.origin.subprocess.run",
    "seqrec.cli.main.entry",
    "seqrec.data.sets.download.download",
    "seqrec.data.store.shutil.rmtree",
    "seqrec.inference.load.load",
    "seqrec.runs.files.write_json",
    "seqrec.tasks.train.train",
]


@pytest.mark.parametrize("target", ALLOWED)
def test_parts_of_models_and_of_trainers_may_be_called(target: str) -> None:
    assert callable(find(target, "model.part"))


@pytest.mark.parametrize("target", FOREIGN)
def test_anything_else_is_refused_however_it_is_spelt(target: str) -> None:
    for node in ({"_target_": target}, [{"x": {"_target_": target, "_partial_": True}}]):
        with pytest.raises(ValueError, match=r"^model.*\._target_ is ") as caught:
            refuse_foreign({"model": node})
        assert "\n" not in str(caught.value)


def test_a_task_is_called_as_the_task_only() -> None:
    assert callable(find("seqrec.tasks.train.train", "task"))


def test_a_target_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.0\._target_ is \['os'\]"):
        refuse_foreign({"a": [{"_target_": ["os"]}]})
