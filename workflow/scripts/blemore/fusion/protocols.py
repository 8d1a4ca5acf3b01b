"""One ensemble, scored in ways that differ in the clips that weights and thresholds were chosen on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.fusion.metrics import is_blend, presence_accuracy, salience_accuracy
from blemore.fusion.postprocess import decode
from blemore.fusion.resampling import compare, draw_actors, interval, rescore, tally
from blemore.fusion.thresholds import Thresholds, search_thresholds
from blemore.fusion.weights import Average, fuse, search_temperatures, search_weights, temper
from blemore.job import BadInput

MEASURES = ("ACC_P", "ACC_S", "Score")
TUNED = ("paper", "official_validation", "official_test")  # protocols whose epochs are chosen on the scored fold, where such predictions are there
Calibration = Literal["none", "temperature"]
OFFICIAL: Mapping[str, Any] = {"weights": {"method": "uniform"}, "thresholds": {"choice": "first"}}


class OutOfFold(NamedTuple):
    """Predictions for n clips by models that did not learn from them."""

    probabilities: NDArray[np.float64]  # (m, n, 6); NaN rows where an encoder has nothing
    truth: NDArray[np.int8]  # percent (n, 6)
    fold: NDArray[np.int64]
    actor: NDArray[np.str_]
    encoders: tuple[str, ...] = ()  # (m,) names, which only the published weights need

    def of(self, clips: NDArray[np.bool_]) -> "OutOfFold":
        """The chosen clips."""
        return OutOfFold(self.probabilities[:, clips], self.truth[clips], self.fold[clips], self.actor[clips], self.encoders)


class Fusion(NamedTuple):
    """All that is chosen for an ensemble: what turns the encoders' probabilities into decisions."""

    weights: NDArray[np.float64]  # (m,)
    thresholds: Thresholds
    temperatures: NDArray[np.float64] | None = None  # (m,)
    average: Average = "probabilities"

    def decide(self, probabilities: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """Fused probabilities and decisions in percent, both (n, 6)."""
        tempered = probabilities if self.temperatures is None else temper(probabilities, self.temperatures)
        fused = fuse(tempered, self.weights, self.average)
        return fused, decode(fused, self.thresholds.alpha, self.thresholds.beta)


class Evaluation(NamedTuple):
    """A protocol's block of scores, and what it says about every clip; about a clip that it does not score all zeros."""

    block: dict[str, Any]
    fused: NDArray[np.float64]  # (n, 6)
    decisions: NDArray[np.int8]  # percent (n, 6)
    fusions: tuple[Fusion | None, ...]  # of each fold, in ascending order
    probabilities: NDArray[np.float64]  # (m, n, 6), the predictions that it is about


def choose(data: OutOfFold, settings: Mapping[str, Any]) -> Fusion:
    """Temperatures, weights and thresholds by the labels of the given clips.

    Args:
        settings: `weights` and `thresholds`, the keyword arguments of `search_weights` and `search_thresholds`; where they are
            not the defaults, `average` as in `fuse` and `calibration`, which is none or temperature.
    """
    return _choose(data, **settings)


def _choose(
    data: OutOfFold, weights: Mapping[str, Any], thresholds: Mapping[str, Any], average: Average = "probabilities", calibration: Calibration = "none"
) -> Fusion:
    temperatures = search_temperatures(data.probabilities, data.truth) if calibration == "temperature" else None
    probabilities = data.probabilities if temperatures is None else temper(data.probabilities, temperatures)
    found = search_weights(probabilities, data.truth, data.fold, actors=data.actor.tolist(), encoders=data.encoders or None, average=average, **weights)
    return Fusion(found, search_thresholds(fuse(probabilities, found, average), data.truth, data.fold, **thresholds), temperatures, average)


def evaluate_all(
    data: OutOfFold, settings: Mapping[str, Any], epochs_on_scored_fold: bool, tuned: NDArray[np.float64] | None = None
) -> tuple[dict[str, Evaluation], Fusion]:
    """Every protocol by its name, and the fusion chosen on all folds, which is the one for new clips.

    `paper`: weights and thresholds chosen on each scored fold itself.
    `official_validation`: the organisers', equal weights and the thresholds chosen on each scored fold.
    `official_test`: equal weights and the thresholds of the fold that they score best on, applied to the other folds.
    `pooled`: chosen once, on all folds.
    `nested`: chosen on the other folds' out-of-fold predictions, scored on the fold: the only one whose labels are new to it.
    The paper and the organisers choose the epoch on the scored fold too: the first three read `tuned`, the others never do.

    Args:
        epochs_on_scored_fold: the heads' training was stopped by the scored fold, so no figure is free of it.
        tuned: predictions (m, n, 6) by epochs that were chosen on the scored fold; None where there are no others than those of `data`.

    Raises:
        BadInput: if there is only one fold.
    """
    folds = np.unique(data.fold)
    if len(folds) < 2:
        raise BadInput(f"the sheet has only the fold {folds.tolist()}, which leaves no clips to choose weights on; give it two folds at least.")
    pooled = choose(data, settings)
    own = data if tuned is None else data._replace(probabilities=tuned)
    official = [choose(own.of(data.fold == fold), OFFICIAL) for fold in folds]
    best = int(np.argmax([fusion.thresholds.score for fusion in official]))
    chosen: dict[str, list[Fusion | None]] = {
        "paper": [choose(own.of(data.fold == fold), settings) for fold in folds],
        "official_validation": [*official],
        "official_test": [None if index == best else official[best] for index in range(len(folds))],
        "pooled": [pooled] * len(folds),
        "nested": [choose(data.of(data.fold != fold), settings) for fold in folds],
    }
    uses = {name: name != "nested" or epochs_on_scored_fold for name in chosen}
    evaluations = {name: evaluate(name, own if name in TUNED else data, fusions, uses[name]) for name, fusions in chosen.items()}
    for name, evaluation in evaluations.items():
        evaluation.block["epochs_on_scored_fold"] = epochs_on_scored_fold or (name in TUNED and tuned is not None)
    evaluations["official_test"].block["best_fold"] = int(folds[best])
    return evaluations, pooled


def official_test_fusion(evaluations: Mapping[str, Evaluation], members: int) -> Fusion:
    """What the organisers decide the test clips by: equal weights, the best fold's thresholds."""
    official = evaluations["official_validation"].block["folds"]
    best = next(row for row in official if row["fold"] == evaluations["official_test"].block["best_fold"])
    return Fusion(np.full(members, 1 / members), Thresholds(best["alpha"], best["beta"], *(best[measure] for measure in MEASURES)))


def evaluate(name: str, data: OutOfFold, fusions: Sequence[Fusion | None], uses_scored_fold: bool) -> Evaluation:
    """Each fold, in ascending order, decided by its own fusion and scored; a fold without one is left out."""
    fused, decisions = np.zeros(data.truth.shape), np.zeros(data.truth.shape, dtype=np.int8)
    rows = []
    for fold, fusion in zip(np.unique(data.fold), fusions, strict=True):
        if fusion is None:
            continue
        clips = data.fold == fold
        fused[clips], decisions[clips] = fusion.decide(data.probabilities[:, clips])
        found = {"alpha": fusion.thresholds.alpha, "beta": fusion.thresholds.beta, "weights": fusion.weights.tolist()}
        rows.append({"fold": int(fold), **found, **measure(decisions[clips], data.truth[clips]), "n_clips": int(clips.sum())})
    values = np.array([[row[measure] for measure in MEASURES] for row in rows])
    spread = values.std(axis=0, ddof=1).tolist() if len(rows) > 1 else [None] * len(MEASURES)
    scored = decisions.any(axis=1)
    block = {
        "name": name,
        "uses_scored_fold": uses_scored_fold,
        "folds": rows,
        "mean": dict(zip(MEASURES, values.mean(axis=0).tolist())),
        "std": dict(zip(MEASURES, spread)),
        "pooled": measure(decisions[scored], data.truth[scored]),
        "n_clips": int(scored.sum()),
    }
    return Evaluation(block, fused, decisions, tuple(fusions), data.probabilities)


def certainty(evaluations: Mapping[str, Evaluation], data: OutOfFold, resamples: int, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How certain the pooled figures are, by resampling actors: of each protocol the 95 % intervals, of each two the difference of Scores."""
    draws = draw_actors(len(np.unique(data.actor)), resamples, seed)
    intervals = {name: interval_of(one.decisions, data, draws) for name, one in evaluations.items()}
    compared = {
        (first, second): compare(evaluations[first].decisions, evaluations[second].decisions, data.truth, data.actor, draws)
        for first, second in combinations(evaluations, 2)
    }
    return intervals, [{"first": first, "second": second, **one._asdict()} for (first, second), one in compared.items()]


def interval_of(decisions: NDArray, data: OutOfFold, draws: NDArray[np.int64]) -> dict[str, list[float]]:
    """The 95 % interval, low and high, of each measure of decisions in percent (n, 6), by resamples of the actors."""
    low, high = interval(rescore(tally(decisions, data.truth, data.actor), draws), draws.shape[1])
    return {measure: [float(low[index]), float(high[index])] for index, measure in enumerate(MEASURES)}


def measure(decisions: NDArray, truth: NDArray) -> dict[str, float]:
    """ACC_P, ACC_S and Score of decisions in percent (n, 6)."""
    presence, salience = presence_accuracy(decisions, truth), salience_accuracy(decisions, truth)
    return dict(zip(MEASURES, (presence, salience, 0.5 * presence + 0.5 * salience), strict=True))


def trivial_baselines(truth: NDArray[np.int8]) -> dict[str, dict[str, Any]]:
    """What one decision for all n > 0 clips scores: the most frequent single emotion, pair at 50/50, and pair with its ratio.

    Of equally frequent ones the first in the order of EMOTIONS; pairs are absent where there is no blend.
    """
    blends = is_blend(truth)
    candidates = {"single": truth[~blends], "pair": np.where(truth[blends] > 0, np.int8(50), np.int8(0)), "pair_with_ratio": truth[blends]}
    return {name: _constant(rows, truth) for name, rows in candidates.items() if len(rows)}


def _constant(rows: NDArray[np.int8], truth: NDArray[np.int8]) -> dict[str, Any]:
    counts = Counter(map(tuple, rows.tolist()))
    decision = max(counts, key=lambda row: (counts[row], row))
    named = {emotion: percent for emotion, percent in zip(EMOTIONS, decision, strict=True) if percent}
    return {"decision": named, **measure(np.broadcast_to(np.array(decision, np.int8), truth.shape), truth)}
