import numpy as np
import pandas as pd
import pytest

from blemore.fusion.breakdown import fine_tuned_share, groups, leave_one_out, score_groups
from blemore.fusion.metrics import is_blend, presence_accuracy, salience_accuracy, score
from blemore.fusion.postprocess import decode
from blemore.fusion.protocols import OutOfFold, evaluate_all
from blemore.fusion.resampling import draw_actors
from blemore.fusion.thresholds import search_grid

from .cases import random_probabilities, random_truth

SETTINGS = {"weights": {"method": "uniform"}, "thresholds": {"choice": "first"}}
DRAWS = draw_actors(8, 200, 1)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    truth, actor = random_truth(rng, 320), np.arange(320) % 8
    probabilities = np.array([random_probabilities(rng, truth, skill) for skill in (3.0, 0.0)])
    return OutOfFold(probabilities, truth, actor % 4, np.char.add("A", actor.astype(str)))


@pytest.fixture(scope="module")
def nested(data):
    return evaluate_all(data, SETTINGS, False)[0]["nested"]


@pytest.fixture(scope="module")
def sheet(data):
    return pd.DataFrame({"video_id": data.actor, "gender": np.where(data.fold < 2, "f", "m"), "intensity_level": [1.0, np.nan] * 160})


def test_groups_by_hand():
    truth = np.array([[100, 0, 0, 0, 0, 0], [70, 30, 0, 0, 0, 0], [50, 0, 50, 0, 0, 0]])
    found = groups(pd.DataFrame({"gender": ["f", None, "f"]}), truth)
    assert {key: np.flatnonzero(clips).tolist() for key, clips in found.items()} == {
        ("emotion", "ang"): [0, 1, 2],
        ("emotion", "disg"): [1],
        ("emotion", "fea"): [2],
        ("pair", "ang+disg"): [1],
        ("pair", "ang+fea"): [2],
        ("ratio", "single"): [0],
        ("ratio", "50/50"): [2],
        ("ratio", "70/30"): [1],
        ("gender", "f"): [0, 2],
    }


def test_quarters_of_the_known_durations():
    truth = np.tile(np.array([[100, 0, 0, 0, 0, 0]], dtype=np.int8), (9, 1))
    found = groups(pd.DataFrame({"duration_s": [1.0, 2.0, 3.0, 4.0, np.nan, 5.0, 6.0, 7.0, 8.0]}), truth)
    quarters = {name: np.flatnonzero(clips).tolist() for (kind, name), clips in found.items() if kind == "duration"}
    assert quarters == {
        "quarter 1, to 2.75 s": [0, 1],
        "quarter 2, to 4.50 s": [2, 3],
        "quarter 3, to 6.25 s": [5, 6],
        "quarter 4, above 6.25 s": [7, 8],
    }
    assert not any(kind == "duration" for kind, _ in groups(pd.DataFrame({"duration_s": [np.nan] * 9}), truth))


def test_no_clip_is_lost_where_quartiles_are_nearly_equal():
    seconds = [1.97, 1.98, 1.999, 2.001, 2.001, 2.002, 2.003, 2.2]
    found = groups(pd.DataFrame({"duration_s": seconds}), np.tile(np.array([[100, 0, 0, 0, 0, 0]], dtype=np.int8), (8, 1)))
    assert np.sum([clips for (kind, _), clips in found.items() if kind == "duration"], axis=0).tolist() == [1] * 8


def test_each_group_is_scored_on_its_clips(data, nested, sheet):
    rows = {(row["kind"], row["group"]): row for row in score_groups(nested.decisions, data, sheet, DRAWS)}
    clips = data.truth[:, 2] > 0
    row = rows["emotion", "fea"]
    assert row["ACC_P"] == presence_accuracy(nested.decisions[clips], data.truth[clips])
    assert row["ACC_S"] == salience_accuracy(nested.decisions[clips], data.truth[clips])
    assert (row["n_clips"], row["n_blends"], row["n_actors"]) == (clips.sum(), is_blend(data.truth[clips]).sum(), 8)
    assert row["intervals"]["ACC_P"][0] <= row["ACC_P"] <= row["intervals"]["ACC_P"][1]
    assert [rows[key]["ACC_S"] for key in (("ratio", "single"), ("emotion", "neu"))] == [None, None], "no blend, no ACC_S"
    assert rows["actor", "A3"]["intervals"] == {"ACC_P": None, "ACC_S": None, "Score": None}
    assert sum(row["n_clips"] for (kind, _), row in rows.items() if kind == "actor") == 320
    assert rows["intensity", "1.0"]["n_clips"] == 160


def test_without_one_of_two_members_the_other_alone_is_left(data, nested):
    rows = leave_one_out(data, ["good/mlp", "noise/mlp"], nested, SETTINGS["thresholds"], DRAWS)
    for row, left in zip(rows, data.probabilities[::-1], strict=True):
        decisions = np.zeros_like(data.truth)
        for fold in range(4):
            clips = data.fold == fold
            found = search_grid(left[~clips], data.truth[~clips])
            decisions[clips] = decode(left[clips], found.alpha, found.beta)
        assert row["Score"] == pytest.approx(score(decisions, data.truth))
        assert row["adds"]["difference"] == pytest.approx(nested.block["pooled"]["Score"] - row["Score"])
    assert rows[0]["adds"]["low"] > 0 > rows[1]["adds"]["high"], "the good one helps, noise harms"


def test_a_member_of_all_weight_leaves_the_others_equal(data, nested):
    alone = nested._replace(fusions=tuple(fusion._replace(weights=np.array([1.0, 0.0])) for fusion in nested.fusions))
    first, second = (leave_one_out(data, ["a/x", "b/x"], one, SETTINGS["thresholds"], DRAWS)[0] for one in (alone, nested))
    assert first["Score"] == second["Score"]


def test_a_single_member_is_not_left_out(data, nested):
    assert leave_one_out(data, ["good/mlp"], nested, SETTINGS["thresholds"], DRAWS) == []


def test_share_of_fine_tuned_weight(nested):
    folds = tuple(fusion._replace(weights=np.array([share, 1 - share])) for fusion, share in zip(nested.fusions, (0.5, 0.7, 0.5, 0.7)))
    assert fine_tuned_share(["s4d/own", "clip/mlp_1024"], nested._replace(fusions=folds)) == pytest.approx(0.6)
    assert fine_tuned_share(["owner/mlp", "clip/mlp"], nested) == 0
