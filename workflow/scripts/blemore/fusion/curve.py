"""Nested scores of encoders that are scored alone, beside each other: a layer curve."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from blemore.fusion.protocols import MEASURES, Evaluation, OutOfFold, choose, evaluate, interval_of
from blemore.fusion.resampling import compare, draw_actors


def curve(layers: Mapping[str, OutOfFold], reference: str, thresholds: Mapping[str, Any], resamples: Mapping[str, int], stopped: bool) -> list[dict[str, Any]]:
    """A row for each: the measures with their 95 % intervals by resampled actors, and its Score less that of the reference.

    Args:
        layers: name -> predictions of the same clips, one encoder each.
        reference: a key of `layers`.
        thresholds: see `choose`; they are chosen on the other folds.
        stopped: whether the heads' training was stopped by the scored fold.
    """
    evaluations = {name: _nested(data, thresholds, stopped) for name, data in layers.items()}
    data = layers[reference]
    draws = draw_actors(len(np.unique(data.actor)), resamples["count"], resamples["seed"])
    rows = []
    for name, evaluation in evaluations.items():
        intervals = interval_of(evaluation.decisions, data, draws)
        difference = compare(evaluation.decisions, evaluations[reference].decisions, data.truth, data.actor, draws)
        row = {"layers": name, "n_clips": evaluation.block["n_clips"], "uses_scored_fold": stopped}
        for measure in MEASURES:
            row |= {measure: evaluation.block["pooled"][measure], f"{measure}_low": intervals[measure][0], f"{measure}_high": intervals[measure][1]}
        rows.append(row | {"difference": difference.difference, "difference_low": difference.low, "difference_high": difference.high, "to": reference})
    return rows


def _nested(data: OutOfFold, thresholds: Mapping[str, Any], stopped: bool) -> Evaluation:
    settings = {"weights": {"method": "uniform"}, "thresholds": thresholds}
    return evaluate("nested", data, [choose(data.of(data.fold != fold), settings) for fold in np.unique(data.fold)], stopped)
