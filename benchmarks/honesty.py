"""What each protocol says against the truth, on simulated data sets of the challenge's size: python benchmarks/honesty.py [seeds]

The truth is what the fusion for new clips scores on 1,000 simulated actors that nothing has seen. Nothing here is timed.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from blemore.fusion.metrics import score
from blemore.fusion.protocols import OutOfFold, certainty, evaluate_all
from blemore.fusion.simulator import Population, simulate, simulate_unseen
from blemore.fusion.weights import fuse

SEEDS, ACTORS, CLIPS_PER_ACTOR, RESAMPLES = 400, 1000, 20, 1000
SETTINGS = {"weights": {"method": "greedy", "picks": 12, "bags": 1}, "thresholds": {"choice": "first"}}
Decoder = Callable[[NDArray, NDArray, NDArray], NDArray]  # labelled probabilities, their truth, new probabilities -> percent


def expected_score(labelled: NDArray, truth: NDArray, new: NDArray) -> NDArray:
    """Without thresholds: the label type with the highest expected Score, its probability by discriminant analysis of log-probabilities."""
    types, kind = np.unique(truth, axis=0, return_inverse=True)
    features = [np.log(np.maximum(p, 1e-12)) for p in (labelled, new)]
    probability = LinearDiscriminantAnalysis().fit(features[0], kind).predict_proba(features[1])
    blend = (types > 0).sum(axis=1) == 2
    same_set = ((types[:, np.newaxis] > 0) == (types > 0)).all(axis=2)
    gain = 0.5 * same_set + 0.5 / max(blend[kind].mean(), 1e-12) * np.diag(blend)
    return types[(probability @ gain).argmax(axis=1)]


DECODERS: dict[str, Decoder] = {"expected score": expected_score}


class Outcome(NamedTuple):
    """What one simulated data set says."""

    truth: float
    says: dict[str, float]  # protocol -> mean Score over folds
    covered: bool  # the truth lies in the interval of the nested figure
    width: float
    decoders: dict[str, tuple[float, float]]  # nested figure and truth


def outcome(seed: int) -> Outcome:
    """One data set, tuned and scored, and the same system on unseen actors."""
    data, unseen = simulate(Population(), seed), simulate_unseen(Population(), seed, ACTORS, CLIPS_PER_ACTOR)
    evaluations, fusion = evaluate_all(data, SETTINGS, epochs_on_scored_fold=False)
    low, high = certainty(evaluations, data, RESAMPLES, seed)[0]["nested"]["Score"]
    fused, decisions = fusion.decide(unseen.probabilities)
    truth = score(decisions, unseen.truth)
    says = {name: evaluation.block["mean"]["Score"] for name, evaluation in evaluations.items()}
    nested_weights = [np.array(row["weights"]) for row in evaluations["nested"].block["folds"]]
    decoders = {}
    for name, decoder in DECODERS.items():
        labelled = fuse(data.probabilities, fusion.weights)
        decoders[name] = (nested_score(data, nested_weights, decoder), score(decoder(labelled, data.truth, fused), unseen.truth))
    return Outcome(truth, says, low <= truth <= high, high - low, decoders)


def nested_score(data: OutOfFold, weights: list[NDArray], decoder: Decoder) -> float:
    """The mean Score over folds, each decided by what was chosen on the others."""
    scores = []
    for fold, weight in zip(np.unique(data.fold), weights, strict=True):
        here, fused = data.fold == fold, fuse(data.probabilities, weight)
        scores.append(score(decoder(fused[~here], data.truth[~here], fused[here]), data.truth[here]))
    return float(np.mean(scores))


def with_error(values: NDArray) -> str:
    """A mean and its standard error."""
    return f"{values.mean():+.4f} ± {values.std(ddof=1) / np.sqrt(len(values)):.4f}"


def main() -> None:
    """Prints bias with its standard error, coverage and width."""
    outcomes = [outcome(seed) for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)]
    truth = np.array([one.truth for one in outcomes])
    print(f"{len(outcomes)} seeds, {ACTORS} unseen actors each; truth with thresholds {truth.mean():.4f}")
    for name in outcomes[0].says:
        print(f"{name:>20} says {np.mean([one.says[name] for one in outcomes]):.4f}, bias {with_error(np.array([one.says[name] for one in outcomes]) - truth)}")
    print(
        f"95 % intervals of the nested Score: coverage {np.mean([one.covered for one in outcomes]):.3f}, "
        f"mean width {np.mean([one.width for one in outcomes]):.4f}"
    )
    for name in DECODERS:
        says, reached = np.array([one.decoders[name] for one in outcomes]).T
        print(
            f"{name:>20} truth {reached.mean():.4f}, {with_error(reached - truth)} against thresholds, bias of its nested figure {with_error(says - reached)}"
        )


if __name__ == "__main__":
    main()
