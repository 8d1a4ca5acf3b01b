"""One ensemble, scored in three ways that differ in the clips that weights and thresholds were chosen on."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.fusion.metrics import is_blend, presence_accuracy, salience_accuracy
from blemore.fusion.postprocess import decode
from blemore.fusion.thresholds import Thresholds, search_grid
from blemore.fusion.weights import fuse, search_weights
from blemore.job import BadInput

MEASURES = ("ACC_P", "ACC_S", "Score")


class OutOfFold(NamedTuple):
    """Predictions for n clips by models that did not learn from them."""

    probabilities: NDArray[np.float64]  # (m, n, 6); NaN rows where an encoder has nothing
    truth: NDArray[np.int8]  # percent (n, 6)
    fold: NDArray[np.int64]
    actor: NDArray[np.str_]

    def of(self, clips: NDArray[np.bool_]) -> "OutOfFold":
        """The chosen clips."""
        return OutOfFold(self.probabilities[:, clips], self.truth[clips], self.fold[clips], self.actor[clips])


class Fusion(NamedTuple):
    """All that is chosen for an ensemble: what turns the encoders' probabilities into decisions."""

    weights: NDArray[np.float64]  # (m,)
    thresholds: Thresholds

    def decide(self, probabilities: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """Fused probabilities and decisions in percent, both (n, 6)."""
        fused = fuse(probabilities, self.weights)
        return fused, decode(fused, self.thresholds.alpha, self.thresholds.beta)


class Evaluation(NamedTuple):
    """A protocol's block of scores, and what it says about every clip."""

    block: dict[str, Any]
    fused: NDArray[np.float64]  # (n, 6)
    decisions: NDArray[np.int8]  # percent (n, 6)


def choose(data: OutOfFold, settings: Mapping[str, Any]) -> Fusion:
    """Weights and thresholds by the labels of the given clips, all folds pooled for the thresholds.

    Args:
        settings: `weights` and `thresholds`, the keyword arguments of `search_weights` and `search_grid`.
    """
    weights = search_weights(data.probabilities, data.truth, data.fold, actors=data.actor.tolist(), **settings["weights"])
    return Fusion(weights, search_grid(fuse(data.probabilities, weights), data.truth, **settings["thresholds"]))


def evaluate_all(data: OutOfFold, settings: Mapping[str, Any], epochs_on_scored_fold: bool) -> tuple[dict[str, Evaluation], Fusion]:
    """Every protocol by its name, and the fusion chosen on all folds, which is the one for new clips.

    `paper`: chosen on each scored fold itself; `pooled`: once, on all folds; both have seen the labels that they are scored on.
    `nested`: chosen on the other folds' out-of-fold predictions, scored on the fold.

    Args:
        epochs_on_scored_fold: the heads' training was stopped by the scored fold, so no figure is free of it.

    Raises:
        BadInput: if there is only one fold.
    """
    folds = np.unique(data.fold)
    if len(folds) < 2:
        raise BadInput(f"the sheet has only the fold {folds.tolist()}, which leaves no clips to choose weights on; give it two folds at least.")
    pooled = choose(data, settings)
    chosen = {
        "paper": [choose(data.of(data.fold == fold), settings) for fold in folds],
        "pooled": [pooled] * len(folds),
        "nested": [choose(data.of(data.fold != fold), settings) for fold in folds],
    }
    uses = {name: name != "nested" or epochs_on_scored_fold for name in chosen}
    return {name: evaluate(name, data, fusions, uses[name]) for name, fusions in chosen.items()}, pooled


def evaluate(name: str, data: OutOfFold, fusions: list[Fusion], uses_scored_fold: bool) -> Evaluation:
    """Each fold, in ascending order, decided by its own fusion and scored."""
    fused, decisions = np.zeros(data.truth.shape), np.zeros(data.truth.shape, dtype=np.int8)
    rows = []
    for fold, fusion in zip(np.unique(data.fold), fusions, strict=True):
        clips = data.fold == fold
        fused[clips], decisions[clips] = fusion.decide(data.probabilities[:, clips])
        found = {"alpha": fusion.thresholds.alpha, "beta": fusion.thresholds.beta, "weights": fusion.weights.tolist()}
        rows.append({"fold": int(fold), **found, **measure(decisions[clips], data.truth[clips]), "n_clips": int(clips.sum())})
    values = np.array([[row[measure] for measure in MEASURES] for row in rows])
    block = {
        "name": name,
        "uses_scored_fold": uses_scored_fold,
        "folds": rows,
        "mean": dict(zip(MEASURES, values.mean(axis=0).tolist())),
        "std": dict(zip(MEASURES, values.std(axis=0, ddof=1).tolist())),
        "pooled": measure(decisions, data.truth),
        "n_clips": len(decisions),
    }
    return Evaluation(block, fused, decisions)


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
