"""Encoders that were fine-tuned, exported and opened again predict what they did when they were trained: to 1e-5, since other clips share their batches."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from unit.finetune.tiny import KINDS, MEDIUM, Clips, Job, checkpoint, settings

import predict_finetuned
from blemore.data.emotions import EMOTIONS
from blemore.prediction.export import copy_preprocessing, copy_trained, write_system
from blemore.stores import read_probabilities


@pytest.fixture(autouse=True)
def _restore_torch():
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fine_tuned_encoder_predicts_elsewhere_what_it_did(tmp_path, kind):
    clips = Clips(tmp_path, [EMOTIONS[index % 6] for index in range(4)], broken=("test_1",), test=2)
    encoder = settings(kind, checkpoint(tmp_path / "pretrained", kind), {"epochs": 1}, **({"frozen_blocks": 0} if kind == "s4d" else {}))
    trained = Job(tmp_path / "job", kind, clips, encoder).run()
    saved = tmp_path / "results" / "finetune" / "mine" / "fold0"
    saved.parent.mkdir(parents=True)
    shutil.copytree(trained.weights, saved)
    system = tmp_path / "system"
    system.mkdir()
    copy_trained(system, [str(saved)])
    copy_preprocessing(system, {"mine": encoder}, "weights")
    write_system(system, {"models": ["fold0"]})
    shutil.rmtree(tmp_path / "pretrained")

    store, status = str(tmp_path / "new.zarr"), str(tmp_path / "status.json")
    recipe = encoder | {"model": str(system / "finetune/mine/fold0/seed1")}
    predict_finetuned.main(
        SimpleNamespace(
            input=SimpleNamespace(system=str(system / "system.json"), media=clips.stores[MEDIUM[kind]]),
            output=SimpleNamespace(stores=[store], status=status),
            wildcards=SimpleNamespace(encoder="mine"),
            params=SimpleNamespace(cfg={}, code={}, clips=clips.names, recipe={"mine": recipe}, runtime={"device": "cpu", "loader_workers": 0}),
        )
    )
    np.testing.assert_allclose(read_probabilities(store).logit, read_probabilities(trained.store).logit, rtol=0, atol=1e-5)
    assert '"test_1": "decode_error"' in Path(status).read_text()
