"""The layer curve of the smallest data set by the real Snakemake."""

import pandas as pd
import pytest
from workflow.runs import rules
from workflow.test_mini import overlay

pytestmark = [pytest.mark.workflow, pytest.mark.soak]
CURVE = {"ranges": [[0, 1], [1, 2]], "reference": [1, 2]}


def test_a_layer_curve_is_made_once_and_reuses_what_stays(mini):
    mini.configure(overlay(layer_curve=CURVE))
    mini.snakemake("layer_curve")
    table = pd.read_csv(mini.folder / "results/layer_curve/scores.csv", dtype={"layers": str})
    assert table["layers"].tolist() == ["0", "1", "2", "0-1", "1-2"]
    assert table[["Score", "difference"]].notna().all(axis=None)
    assert rules(mini.stale("layer_curve")) == set()
    mini.configure(overlay(layer_curve=CURVE | {"reference": [2, 2]}))
    assert rules(mini.stale("layer_curve")) == {"score_layers", "layer_curve"}
    mini.configure(overlay(layer_curve=CURVE, fusion={"thresholds": {"choice": "plateau"}}))
    assert rules(mini.stale("layer_curve")) == {"score_layers", "layer_curve"}
