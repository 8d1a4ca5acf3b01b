"""The scripts of the finetune stage on the stores, the sheet and the tiny checkpoints of a small data set."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from unit.finetune.tiny import KINDS, Clips, Job, checkpoint, settings

from blemore.data.emotions import EMOTIONS
from blemore.stores import read_probabilities

RATE = 0.01


@pytest.fixture(autouse=True)
def _restore_torch():
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    return {kind: checkpoint(root / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight clips of the model that is trained on all."""
    return Clips(tmp_path_factory.mktemp("eight"), [EMOTIONS[index % 6] for index in range(8)])


@pytest.mark.parametrize("kind", KINDS)
def test_eight_clips_are_learned_by_heart(tmp_path, folders, eight, kind):
    history = tmp_path / "fold.json"
    history.write_text(json.dumps({"seeds": {"1": {"best_epoch": 60}}}))
    rates = {"learning_rate": RATE, "head_learning_rate": RATE, "weight_decay": 0.0}
    encoder = settings(kind, folders[kind], {"epochs": 60, "batch_size": 8, **rates}, **({"frozen_blocks": 0, "train_dense": True} if kind == "s4d" else {}))
    output = Job(tmp_path, kind, eight, encoder, model="retrained", histories=[history]).run()
    rows = read_probabilities(output.store)
    truth = np.eye(6)[[index % 6 for index in range(8)]]
    assert rel_entr(truth, rows.probability).sum(1).mean() < 0.05
    losses = json.loads(Path(output.history).read_text())["seeds"]["1"]["train_loss"]
    assert losses[0] > 1 > 0.1 > losses[-1]
