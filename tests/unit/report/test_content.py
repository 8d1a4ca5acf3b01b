"""What the page embeds, against the same things done slowly."""

import base64
import json
from contextlib import chdir

import numpy as np
import pandas as pd
import pytest
from unit.fusion.cases import random_probabilities, random_truth

from blemore.data.labels import EMOTIONS
from blemore.fusion.decode import TYPES
from blemore.report.calibration import calibration
from blemore.report.content import NOT_SCORED, curves, folds_of, packed, page_content, seed_spread, type_numbers
from blemore.report.costs import records, rule_costs


def test_calibration_is_that_of_a_loop_over_all_probabilities():
    rng = np.random.default_rng(0)
    truth = random_truth(rng, 40)
    probabilities = random_probabilities(rng, truth)
    probabilities[7] = np.nan
    found = calibration(probabilities, truth)
    said = {number: [] for number in range(10)}
    brier = []
    for row, label in zip(probabilities, truth):
        if not np.isnan(row).any():
            brier.append(sum((p - share / 100) ** 2 for p, share in zip(row, label)))
            for p, share in zip(row, label):
                said[min(int(p * 10), 9)].append((p, share / 100))
    for bin_, pairs in zip(found["bins"], said.values()):
        assert bin_["count"] == len(pairs)
        assert [bin_["probability"], bin_["share"]] == (pytest.approx(np.mean(pairs, axis=0)) if pairs else [None, None])
    distances = [len(pairs) * abs(np.mean([p - share for p, share in pairs])) for pairs in said.values() if pairs]
    assert found["ece"] == pytest.approx(sum(distances) / (39 * 6))
    assert found["brier"] == pytest.approx(np.mean(brier))


def test_labels_said_with_certainty_are_calibrated_and_nothing_has_no_calibration():
    truth = random_truth(np.random.default_rng(1), 30)
    perfect = calibration(truth / 100, truth)
    assert (perfect["ece"], perfect["brier"]) == (pytest.approx(0), pytest.approx(0))
    assert calibration(np.full((3, 6), np.nan), truth[:3]) == {"bins": [], "ece": None, "brier": None}


def test_every_label_type_has_its_number_and_what_is_not_scored_another():
    rows = np.vstack([TYPES, np.zeros((1, 6), np.int8)])
    assert type_numbers(rows).tolist() == [*range(36), NOT_SCORED]
    with pytest.raises(KeyError):
        type_numbers(np.array([[60, 40, 0, 0, 0, 0]], np.int8))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "u1"])
def test_packed_arrays_are_little_endian(dtype):
    values = np.array([0, 1, 200], dtype)
    found = packed(values)
    assert np.frombuffer(base64.b64decode(found["base64"]), "<" + found["type"]).tolist() == [0, 1, 200]


def test_curves_are_the_lists_of_every_seed():
    history = {"seeds": {"1": {"best_epoch": 2, "train_loss": [1.23456789, 0.5], "stop_loss": []}, "2": {"stop_score": [0.1]}}, "stop_score_spread": 0.1}
    assert list(curves(3, history)) == [
        {"fold": 3, "seed": "1", "name": "train_loss", "values": [1.2346, 0.5]},
        {"fold": 3, "seed": "2", "name": "stop_score", "values": [0.1]},
    ]
    assert [curve["values"] for curve in curves(0, {"stop_loss": [1.5, float("nan"), float("inf")]})] == [[1.5, None, None]]
    assert list(curves(0, {"train_loss": [2.0]})) == [{"fold": 0, "seed": None, "name": "train_loss", "values": [2.0]}]


def test_the_spread_over_seeds_is_said_of_folds_that_have_one():
    assert seed_spread({0: {"seeds": {}, "stop_score_spread": 0.1}, 1: {"seeds": {}, "stop_score_spread": None}, 2: {"train_loss": [2.0]}}) == {0: 0.1}


def test_stores_are_found_by_member_and_fold():
    paths = [f"results/probabilities/{member}/fold{fold}.zarr" for member in ("a/own", "a/mlp") for fold in (0, 12)]
    assert folds_of(paths) == {"a/own": {0: paths[0], 12: paths[1]}, "a/mlp": {0: paths[2], 12: paths[3]}}


def test_ensembles_of_other_clips_are_refused():
    def table(clip):
        return pd.DataFrame({"clip": [clip], "actor": ["A1"], "fold": [0]} | {f"truth_{emotion}": [100 * (emotion == "ang")] for emotion in EMOTIONS})

    with pytest.raises(ValueError, match=r"^the decisions of b are about other clips than those of a$"):
        page_content([{"ensemble": "a"}, {"ensemble": "b"}], [table("x"), table("y")], {}, {}, "a")


def test_costs_are_summed_over_the_jobs_of_a_rule(tmp_path):
    line = "s\th:m:s\tmax_rss\tcpu_time\n{}\t0:00:01\t{}\t{}\n"
    for path, values in {"a/x/y.tsv": (1800, 100, 900), "a/x/z.tsv": (1800, 300, "-"), "b.tsv": (7200, 50, 3600)}.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(line.format(*values))
    assert rule_costs(tmp_path).to_numpy().tolist() == [["b", 1, 2.0, 1.0, 50], ["a", 2, 1.0, 0.25, 300]]
    (tmp_path / "b" / "killed.tsv").parent.mkdir(exist_ok=True)
    (tmp_path / "b" / "killed.tsv").touch()
    assert rule_costs(tmp_path)["jobs"].tolist() == [1, 2]
    assert rule_costs(tmp_path / "absent").empty


def test_the_latest_record_of_a_rule_is_shown_and_its_commits_counted(tmp_path):
    record = {"rule": "fuse", "seconds": 1, "host": "h", "python": "3.11"}
    for path, started, commit in (("features/a.run.json", "2026-01-02", "two"), ("features/shards/a/b.run.json", "2026-01-01", "one")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(record | {"started": started, "commit": commit}))
    with chdir(tmp_path):
        assert records(".").to_numpy().tolist() == [["fuse", 2, "2026-01-01", "2026-01-02", "two", 2, "3.11"]]
