import numpy as np
import pandas as pd
import pytest

from blemore.fusion.comparison import compare_ensembles
from blemore.fusion.metrics import score
from blemore.fusion.postprocess import decode
from blemore.fusion.predictions import columns
from blemore.job import BadInput

from .cases import random_probabilities, random_truth

RNG = np.random.default_rng(0)
TRUTH = random_truth(RNG, 240)
PROTOCOLS = {"nested": False, "paper": True}


def decided(skill):
    """A table as `fuse` writes it."""
    decisions = {name: decode(random_probabilities(RNG, TRUTH, skill), 0.1, 0.2) for name in PROTOCOLS}
    ids = {"clip": [f"c{index}" for index in range(240)], "actor": [f"A{index % 12}" for index in range(240)]}
    return pd.DataFrame(
        ids | columns("truth", TRUTH) | {name: values for protocol, one in decisions.items() for name, values in columns(protocol, one).items()}
    )


TABLES = {"good": decided(3.0), "fair": decided(1.0), "same": decided(1.0)}


def test_every_two_under_every_protocol():
    rows = compare_ensembles(TABLES, PROTOCOLS, 200, 1)
    assert rows[["protocol", "first", "second"]].to_numpy().tolist() == [
        [protocol, *pair] for protocol in PROTOCOLS for pair in (("good", "fair"), ("good", "same"), ("fair", "same"))
    ]
    assert rows["uses_scored_fold"].tolist() == [False] * 3 + [True] * 3
    clear, unclear = rows.iloc[0], rows.iloc[2]
    assert clear["probability_above_zero"] == 1
    assert clear["low"] > 0
    assert unclear["low"] < 0 < unclear["high"]
    assert set(rows["n_clips"]) == {240}


def test_the_difference_is_that_of_both_scores():
    read = {name: table[[column for column in table if column.startswith("nested_")]].to_numpy() for name, table in TABLES.items()}
    row = compare_ensembles(TABLES, PROTOCOLS, 50, 1).iloc[0]
    assert row["difference"] == pytest.approx(score(read["good"], TRUTH) - score(read["fair"], TRUTH))


def test_one_ensemble_has_none_beside_it():
    rows = compare_ensembles({"good": TABLES["good"]}, PROTOCOLS, 50, 1)
    assert rows.empty
    assert "probability_above_zero" in rows


def test_other_clips_are_refused():
    with pytest.raises(BadInput, match=r"^the decisions of fair are of other clips than those of good; delete results/fusion and run again\.$"):
        compare_ensembles({"good": TABLES["good"], "fair": TABLES["fair"].iloc[::-1].reset_index(drop=True)}, PROTOCOLS, 50, 1)
