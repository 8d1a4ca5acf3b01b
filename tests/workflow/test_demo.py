"""The demo data are learnable because of their labels alone, and not too well: its voices and provided features, without the workflow around them."""

import csv
import json

import check_score
import design
import generate
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from workflow.runs import REPOSITORY
from workflow.test_mini import merged

from blemore.classify.data import align
from blemore.classify.training import train_and_predict
from blemore.data.labels import percentages
from blemore.data.sheet import typed
from blemore.data.splits import SCORED, split_clips
from blemore.features.extraction import MediaClip, extract
from blemore.features.prosody import WIDTH, prosody_frames
from blemore.features.provided import import_features
from blemore.fusion.protocols import OutOfFold, evaluate_all, trivial_baselines
from blemore.fusion.thresholds import best_grid_score
from blemore.media.audio import read_audio
from blemore.settings import pick
from blemore.torch_setup import deterministic

pytestmark = pytest.mark.workflow
CONFIG = merged(yaml.safe_load((REPOSITORY / "config.yaml").read_text()), yaml.safe_load((REPOSITORY / "demo" / "config.yaml").read_text()))
RATE = CONFIG["media"]["audio"]["sample_rate_hz"]


def read_sheet(data):
    with open(data / "train_metadata.csv", newline="") as file:
        return typed(pd.DataFrame([row | {"split": "train", "shard": row["video_id"], "video": ""} for row in csv.DictReader(file)]))


def prosody(data, clips):
    videos = {path.stem: path for path in data.glob("part_*/*.mov")}
    settings = {name: CONFIG["features"]["prosody"][name] for name in ("f0_min_hz", "f0_max_hz", "hop_s")}
    media = [MediaClip(clip, 0, 0.0, lambda clip=clip: read_audio(videos[clip], RATE)) for clip in clips]
    return extract(media, lambda wave: prosody_frames(wave, RATE, **settings), WIDTH, 1, dict.fromkeys(clips, ""))


def out_of_fold(sheet, features):
    """Each clip as the head of its own fold predicts it."""
    probability = np.zeros((len(sheet), 6))
    for fold in sorted(sheet["fold"].unique()):
        data = align(sheet, features, split_clips(sheet, fold, "inner"))
        rows, *_ = train_and_predict(data, CONFIG["classify"] | {"seeds": [1]}, CONFIG["classify"]["heads"]["mlp_1024"], best_grid_score)
        probability[data.part == SCORED] = rows.probability[data.part == SCORED]
    return probability


def demo_scores(folder, **changes):
    """Scores of prosody and the provided features, fused, in the form of `scores.json`."""
    generate.generate(design.Design(test_actors=0, **changes), folder / "data", workers=1)
    sheet = read_sheet(folder / "data")
    clips = sheet["filename"].tolist()
    provided = {clip: folder / "data/pre_extracted_train_data/ImageBind_train" / f"{clip}.npy" for clip in clips}
    encoders = [prosody(folder / "data", clips), import_features(provided, dict.fromkeys(clips, ""))]
    deterministic()
    stacked = np.stack([out_of_fold(sheet, features) for features in encoders])
    torch.use_deterministic_algorithms(False)
    data = OutOfFold(stacked, percentages(sheet), sheet["fold"].to_numpy(int), sheet["video_id"].to_numpy(str))
    evaluations, _ = evaluate_all(data, pick(CONFIG, "fusion", ("average", "calibration", "thresholds", "weights")), False)
    return {"protocols": {name: one.block for name, one in evaluations.items()}, "baselines": trivial_baselines(data.truth)}


def test_the_demo_is_learned_and_not_too_well(tmp_path):
    assert check_score.problem(demo_scores(tmp_path)) == ""


def test_with_shuffled_labels_the_score_is_that_of_chance(tmp_path):
    scores = demo_scores(tmp_path, shuffle_labels=True)
    assert "nothing was learned" in check_score.problem(scores)


@pytest.mark.parametrize(
    ("ensemble", "score", "said"),
    [
        ("all", 0.95, "something gives the label away"),
        ("all", 0.09, "nothing was learned"),
        ("all", 0.5, ""),
        ("videomae", 0.09, ""),
        ("videomae", 0.05, "nothing was learned"),
    ],
)
def test_a_score_that_cannot_be_is_named(tmp_path, ensemble, score, said):
    for name in check_score.TIMES_TRIVIAL:
        nested = {"nested": {"mean": {"Score": score if name == ensemble else 0.5}}}
        (tmp_path / name).mkdir()
        (tmp_path / name / "scores.json").write_text(json.dumps({"protocols": nested, "baselines": {"single": {"Score": 0.04}, "pair": {"Score": 0.05}}}))
    assert [problem.split(": ")[-1] for problem in check_score.problems(tmp_path)] == [said] * bool(said)
