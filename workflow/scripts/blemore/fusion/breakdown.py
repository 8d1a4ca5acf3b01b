"""Who fails and what matters: decisions by group of clips, and an ensemble without each of its members."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.features.kinds import OWN_HEAD
from blemore.fusion.metrics import is_blend
from blemore.fusion.protocols import Evaluation, Fusion, OutOfFold, interval_of, measure
from blemore.fusion.resampling import compare
from blemore.fusion.thresholds import search_thresholds


def groups(sheet: pd.DataFrame, truth: NDArray[np.int8]) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Which clips belong to each (kind, group): the emotions they contain, pair, ratio, and columns of the sheet that say something.

    Args:
        sheet: rows of the clips; of `gender`, `intensity_level`, `video_id` and `duration_s` those that are there.
        truth: percent (n, 6).
    """
    found = {("emotion", emotion): truth[:, index] > 0 for index, emotion in enumerate(EMOTIONS)}
    blend = is_blend(truth)
    pairs = np.array(["+".join(emotion for emotion, percent in zip(EMOTIONS, row) if percent) for row in truth.tolist()])
    ratios = np.where(blend, np.where(truth.max(axis=1) == 50, "50/50", "70/30"), "single")
    found |= {("pair", pair): pairs == pair for pair in dict.fromkeys(pairs[blend].tolist())}
    found |= {("ratio", ratio): ratios == ratio for ratio in ("single", "50/50", "70/30")}
    for kind, column in (("gender", "gender"), ("intensity", "intensity_level"), ("actor", "video_id")):
        if column in sheet:
            values = np.array(["" if pd.isna(value) else str(value) for value in sheet[column]])
            found |= {(kind, value): values == value for value in np.unique(values) if value}
    if "duration_s" in sheet and sheet["duration_s"].notna().any():
        found |= _quarters(sheet["duration_s"].to_numpy(float))
    return {key: clips for key, clips in found.items() if clips.any()}


def _quarters(seconds: NDArray[np.float64]) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """The clips between the quartiles of the durations that are known."""
    edges = np.nanquantile(seconds, [0.25, 0.5, 0.75])
    quarter = np.where(np.isnan(seconds), -1, np.searchsorted(edges, seconds, side="left"))
    limits = (*(f"to {edge:.2f} s" for edge in edges), f"above {edges[2]:.2f} s")
    return {("duration", f"quarter {index + 1}, {limit}"): quarter == index for index, limit in enumerate(limits)}


def score_groups(decisions: NDArray[np.int8], data: OutOfFold, sheet: pd.DataFrame, draws: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The three measures of each group with 95 % intervals by resamples of the actors.

    A resample in which none of the group's actors is drawn counts as 0; a group of one actor has no interval, nor has ACC_S where there is no blend.
    """
    rows = []
    for (kind, group), clips in groups(sheet, data.truth).items():
        figures: dict[str, float | None] = {**measure(decisions[clips], data.truth[clips])}
        blends, actors = int(is_blend(data.truth[clips]).sum()), len(np.unique(data.actor[clips]))
        intervals: dict[str, list[float] | None] = {**interval_of(np.where(clips[:, np.newaxis], decisions, np.int8(0)), data, draws)}
        if actors == 1:
            intervals = dict.fromkeys(intervals)
        if not blends:
            figures["ACC_S"] = figures["Score"] = intervals["ACC_S"] = intervals["Score"] = None
        rows.append({"kind": kind, "group": group, "n_clips": int(clips.sum()), "n_blends": blends, "n_actors": actors, **figures, "intervals": intervals})
    return rows


def leave_one_out(data: OutOfFold, members: list[str], nested: Evaluation, thresholds: Mapping[str, Any], draws: NDArray[np.int64]) -> list[dict[str, Any]]:
    """For each member what the nested Score is without it, and what it adds: the difference, with its 95 % interval.

    The other members keep the proportions of their nested weights (equal ones where all are 0), and thresholds are chosen anew on
    the other folds: the search for weights is not repeated, so what is measured is this ensemble's use of the member.
    Empty for a single member.
    """
    rows = []
    for index, member in enumerate(members if len(members) > 1 else []):
        decisions = np.zeros(data.truth.shape, dtype=np.int8)
        for fold, fusion in zip(np.unique(data.fold), nested.fusions, strict=True):
            assert fusion is not None, "nested scores every fold"
            scored = data.fold == fold
            decisions[scored] = _without(index, data, fusion, ~scored, thresholds).decide(data.probabilities[:, scored])[1]
        added = compare(nested.decisions, decisions, data.truth, data.actor, draws)
        rows.append({"member": member, **measure(decisions, data.truth), "adds": added._asdict()})
    return rows


def _without(index: int, data: OutOfFold, fusion: Fusion, known: NDArray[np.bool_], thresholds: Mapping[str, Any]) -> Fusion:
    weights = fusion.weights.copy()
    weights[index] = 0
    if not weights.any():
        weights[np.arange(len(weights)) != index] = 1
    left = fusion._replace(weights=weights / weights.sum())
    found = search_thresholds(left.decide(data.probabilities[:, known])[0], data.truth[known], data.fold[known], **thresholds)
    return left._replace(thresholds=found)


def fine_tuned_share(members: list[str], nested: Evaluation) -> float:
    """The weight of encoders that were fine-tuned, or whose predictions were imported, against those with a head; mean over folds of the nested protocol."""
    tuned = np.array([member.split("/")[1] == OWN_HEAD for member in members])
    return float(np.mean([fusion.weights[tuned].sum() for fusion in nested.fusions if fusion is not None]))
