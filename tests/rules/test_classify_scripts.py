"""The scripts of the classify stage on the store and the sheet of a small data set."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from unit.classify.test_training import LOGISTIC, MLP

import retrain_head
import train_head
from blemore.data.labels import EMOTIONS
from blemore.stores import OK, Features, read_attributes, read_predictions, read_probabilities, write_features

HEADER = "filename,video_id,gender,mix,emotion_1,version,intensity_level,situation,emotion_2,emotion_1_salience,emotion_2_salience,fold,split,shard,video"
RECIPES = {"mlp_1024": MLP | {"epochs": 6}, "logistic": LOGISTIC}
CFG = {"early_stopping": "inner", "seeds": [1, 2]}


@pytest.fixture(autouse=True)
def _restore_torch():
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def write_data(folder):
    """48 clips of six actors in three folds and two test clips; one clip has no features."""
    generator = np.random.default_rng(0)
    lines, clips = [HEADER], []
    for index in range(48):
        actor = index % 6
        clips.append(f"P{actor}_{index:02d}")
        lines.append(f"{clips[-1]},P{actor},,0,{EMOTIONS[index % 5]},1,,,,,,{actor % 3},train,P{actor},{clips[-1]}.mov")
    for name in ("test_1", "test_2"):
        clips.append(name)
        lines.append(f"{name},,,,,,,,,,,,test,bucket_00,{name}.mov")
    (folder / "sheet.csv").write_text("\n".join(lines) + "\n")
    embedding = generator.normal(size=(50, 4)).astype(np.float32)
    status = np.full(50, OK, np.uint8)
    embedding[3], status[3] = np.nan, 2
    store = folder / "prosody.zarr"
    write_features(store, Features(embedding, clips, status, [""] * 50, np.zeros(50), np.ones(50), np.ones(50, np.int64)), {})
    return SimpleNamespace(manifest=str(folder / "prosody.json"), store=str(store), sheet=str(folder / "sheet.csv"))


def job(data, folder, name, head="mlp_1024", fold="0", **more):
    folder.mkdir(exist_ok=True)
    output = SimpleNamespace(
        store=str(folder / f"{name}.zarr"),
        manifest=str(folder / f"{name}.json"),
        head=str(folder / f"{name}.safetensors"),
        history=str(folder / f"{name}.history"),
    )
    params = SimpleNamespace(cfg=CFG, code={"train_head.py": "0123"}, recipe={head: RECIPES[head]})
    wildcards = SimpleNamespace(encoder="prosody", head=head, fold=fold)
    return SimpleNamespace(input=SimpleNamespace(**vars(data), **more), output=output, params=params, wildcards=wildcards)


@pytest.mark.parametrize("head", RECIPES)
def test_a_head_predicts_every_clip_with_features(data, tmp_path, head):
    task = job(data, tmp_path, "fold0", head)
    train_head.main(task)
    rows = read_probabilities(task.output.store)
    assert len(rows.clip) == 50
    assert rows.probability[[index for index in range(50) if rows.clip[index] != "P3_03"]].sum(1) == pytest.approx(1, abs=1e-5)
    assert np.isnan(rows.probability[rows.clip.index("P3_03")]).all()
    assert np.allclose(np.exp(rows.logit), rows.probability, equal_nan=True)
    assert {split: rows.split.count(split) for split in set(rows.split)} == {"train": 16, "inner": 16, "scored": 16, "test": 2}
    assert read_attributes(task.output.store)["recipe"]["kind"] == RECIPES[head]["kind"]


@pytest.mark.parametrize(("head", "stopping"), [("mlp_1024", "inner"), ("mlp_1024", "paper"), ("logistic", "inner")])
def test_predictions_that_used_the_scored_fold_stand_beside_the_others_and_for_scored_clips_alone(data, tmp_path, head, stopping):
    task = job(data, tmp_path, "fold0", head)
    task.params.cfg = CFG | {"early_stopping": stopping}
    train_head.main(task)
    rows, tuned = read_predictions(task.output.store)
    assert (tuned is None) == ((head, stopping) != ("mlp_1024", "inner"))
    if tuned:
        scored = np.array([split == "scored" and clip != "P3_03" for clip, split in zip(rows.clip, rows.split)])
        assert tuned.probability[scored].sum(1) == pytest.approx(1, abs=1e-5)
        assert np.isnan(tuned.probability[~scored]).all()


def test_seeds_are_averaged_and_kept(data, tmp_path):
    task = job(data, tmp_path, "fold0")
    train_head.main(task)
    assert {name.split(".")[0] for name in load_file(task.output.head)} == {"scaler", "seed1", "seed2"}
    with open(task.output.history) as file:
        history = json.load(file)
    assert set(history["seeds"]) == {"1", "2"}
    assert history["stop_score_spread"] >= 0


def test_the_same_job_twice_is_the_same_content(data, tmp_path):
    manifests = []
    for name in ("one", "other"):
        task = job(data, tmp_path / name, "fold0")
        train_head.main(task)
        with open(task.output.manifest) as file:
            manifests.append(file.read())
    assert manifests[0] == manifests[1]


def test_a_retrained_head_trains_on_all_labelled_clips_for_the_median_epoch(data, tmp_path):
    histories = []
    for number, epoch in enumerate((2, 9, 4)):
        histories.append(tmp_path / f"{number}.json")
        histories[-1].write_text(json.dumps({"seeds": {"1": {"best_epoch": epoch}, "2": {"best_epoch": 3}}}))
    task = job(data, tmp_path, "retrained", histories=[str(path) for path in histories])
    retrain_head.main(task)
    rows = read_probabilities(task.output.store)
    assert {split: rows.split.count(split) for split in set(rows.split)} == {"train": 48, "test": 2}
    with open(task.output.history) as file:
        seeds = json.load(file)["seeds"]
    assert (len(seeds["1"]["train_loss"]), len(seeds["2"]["train_loss"])) == (4, 3)
