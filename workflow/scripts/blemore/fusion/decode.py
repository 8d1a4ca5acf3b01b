"""Decisions without thresholds: from fused probabilities to a distribution over the 36 label types, and from it to decisions.

A set head gives the probability of each of the 16 sets of emotions, a ratio head that of the three ratios of each pair; both are
multinomial logistic regressions on the fused probabilities. They are fitted on labelled clips, so they belong to a protocol like
thresholds do (`evaluate_decoders`).
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from blemore.data.emotions import EMOTIONS, PAIRS, RATIOS
from blemore.fusion.postprocess import as_probabilities, decode
from blemore.fusion.protocols import Evaluation, OutOfFold, interval_of, measure
from blemore.fusion.resampling import compare
from blemore.fusion.thresholds import search_thresholds

SALIENCES = np.array([share for share, _ in RATIOS]) / 100
SMALLEST = 1e-6  # of a probability, before its logarithm
DIGITS = 12  # gains nearer than this differ by the order of a sum
DECODERS = ("thresholds", "expected_score", "set_and_ratio", "salience_regression")


def _types() -> NDArray[np.int8]:
    types = np.zeros((len(EMOTIONS) + len(PAIRS) * len(RATIOS), len(EMOTIONS)), dtype=np.int8)
    types[range(len(EMOTIONS)), range(len(EMOTIONS))] = 100
    for row, (pair, ratio) in enumerate(product(PAIRS, RATIOS), start=len(EMOTIONS)):
        types[row, pair] = ratio
    return types


TYPES = _types()  # percent (36, 6): the single emotions, then each pair at 50/50, 70/30, 30/70
SET_OF_TYPE = np.array([*range(len(EMOTIONS)), *np.repeat(np.arange(len(PAIRS)) + len(EMOTIONS), len(RATIOS))])
SETS = len(EMOTIONS) + len(PAIRS)


class Heads(NamedTuple):
    """What is learned from labelled clips; None where they have less than two classes, which is then the answer."""

    sets: Pipeline | None
    ratios: Pipeline | None
    saliences: Pipeline | None
    set_counts: NDArray[np.int64]  # (16,)
    ratio_counts: NDArray[np.int64]  # (3,)

    @property
    def blend_share(self) -> float:
        """Of the clips that the heads are fitted on."""
        return float(self.set_counts[len(EMOTIONS) :].sum() / self.set_counts.sum())


def type_index(truth: ArrayLike) -> NDArray[np.int64]:
    """Which of TYPES each row in percent (n, 6) is.

    Raises:
        ValueError: naming the first row that is none of them.
    """
    percent = np.asarray(truth)
    equal = (percent[:, np.newaxis] == TYPES).all(axis=2)
    strange = np.flatnonzero(~equal.any(axis=1))
    if len(strange):
        raise ValueError(f"row {strange[0]} of the labels is none of the 36 types: {percent[strange[0]].tolist()}")
    return equal.argmax(axis=1)


def expected_score_decode(distribution: ArrayLike, blend_share: float) -> NDArray[np.int8]:
    """The type of highest expected Score.

    A clip adds 1 / N to ACC_P if its set is right, and, if it is a blend, 1 / (blend_share N) to ACC_S if its type is right. So a
    single emotion gains its own probability, and a blend that of its set and that of its type over blend_share.

    Args:
        distribution: (n, 36) in the order of TYPES; rows need not sum to 1.
        blend_share: share of blends among the clips that are scored, in [0, 1]; 0: there is no ACC_S to gain.

    Returns:
        percent (n, 6); of equally good types the first.
    """
    p = np.asarray(distribution, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != len(TYPES) or not np.isfinite(p).all() or (p < 0).any():
        raise ValueError(f"the distribution must be (n, {len(TYPES)}), finite and not negative, not {p.shape}")
    if not 0 <= blend_share <= 1:
        raise ValueError(f"blend_share must be between 0 and 1, not {blend_share}")
    blends = p[:, len(EMOTIONS) :].reshape(-1, len(PAIRS), len(RATIOS))
    gain = p.copy()
    gain[:, len(EMOTIONS) :] = np.repeat(blends.sum(axis=2), len(RATIOS), axis=1)
    if blend_share:
        gain[:, len(EMOTIONS) :] += p[:, len(EMOTIONS) :] / blend_share
    return TYPES[np.round(gain, DIGITS).argmax(axis=1)]


def fit_heads(probabilities: ArrayLike, truth: ArrayLike) -> Heads:
    """Set head, ratio head and salience regression by the labels of n > 0 clips; fused probabilities (n, 6), truth in percent (n, 6)."""
    p, types = as_probabilities(probabilities), type_index(truth)
    sets, blends = SET_OF_TYPE[types], types >= len(EMOTIONS)
    pair, ratio = np.divmod(types[blends] - len(EMOTIONS), len(RATIOS))
    x = _pair_features(p[blends])[np.arange(len(pair)), pair]
    return Heads(
        _classifier(_set_features(p), sets),
        _classifier(x, ratio),
        make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(x, SALIENCES[ratio]) if len(x) else None,
        np.bincount(sets, minlength=SETS),
        np.bincount(ratio, minlength=len(RATIOS)),
    )


def _classifier(x: NDArray[np.float64], y: NDArray[np.int64]) -> Pipeline | None:
    if len(np.unique(y)) < 2:
        return None
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)).fit(x, y)


def _set_features(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([p, np.log(np.maximum(p, SMALLEST))], axis=1)


def _pair_features(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per clip and pair the log-odds of its first emotion against its second, and which pair it is; (n, 10, 11)."""
    logs = np.log(np.maximum(p, SMALLEST))
    odds = np.stack([logs[:, first] - logs[:, second] for first, second in PAIRS], axis=1)
    return np.concatenate([odds[..., np.newaxis], np.broadcast_to(np.eye(len(PAIRS)), (len(p), len(PAIRS), len(PAIRS)))], axis=2)


def set_distribution(heads: Heads, probabilities: ArrayLike) -> NDArray[np.float64]:
    """(n, 16), rows sum to 1; a set that no fitted clip has gets 0."""
    return _predict(heads.sets, _set_features(as_probabilities(probabilities)), heads.set_counts)


def ratio_distribution(heads: Heads, probabilities: ArrayLike) -> NDArray[np.float64]:
    """(n, 10, 3): of every pair, if it is the set; equal shares where no blend was fitted."""
    x = _pair_features(as_probabilities(probabilities))
    return _predict(heads.ratios, x.reshape(-1, x.shape[2]), heads.ratio_counts).reshape(len(x), len(PAIRS), len(RATIOS))


def _predict(model: Pipeline | None, x: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.zeros((len(x), len(counts)))
    if model is None:
        shares[:] = counts / counts.sum() if counts.any() else 1 / len(counts)
    elif len(x):
        shares[:, model.classes_] = model.predict_proba(x)
    return shares


def type_distribution(heads: Heads, probabilities: ArrayLike) -> NDArray[np.float64]:
    """The set's probability times the ratio's, (n, 36) in the order of TYPES; rows sum to 1."""
    sets = set_distribution(heads, probabilities)
    blends = sets[:, len(EMOTIONS) :, np.newaxis] * ratio_distribution(heads, probabilities)
    return np.concatenate([sets[:, : len(EMOTIONS)], blends.reshape(len(sets), -1)], axis=1)


def set_and_ratio_decode(heads: Heads, probabilities: ArrayLike) -> NDArray[np.int8]:
    """The most probable set, then the most probable ratio of that pair; percent (n, 6)."""
    return _of_sets(set_distribution(heads, probabilities).argmax(axis=1), ratio_distribution(heads, probabilities).argmax(axis=2))


def salience_regression_decode(heads: Heads, probabilities: ArrayLike) -> NDArray[np.int8]:
    """The most probable set, then the ratio nearest to the regressed salience of the pair's first emotion; percent (n, 6)."""
    x = _pair_features(as_probabilities(probabilities))
    salience = np.full(x.shape[:2], 0.5)
    if heads.saliences is not None and len(x):
        salience = heads.saliences.predict(x.reshape(-1, x.shape[2])).reshape(x.shape[:2])
    return _of_sets(set_distribution(heads, probabilities).argmax(axis=1), np.abs(salience[..., np.newaxis] - SALIENCES).argmin(axis=2))


def _of_sets(sets: NDArray[np.int64], ratios: NDArray[np.int64]) -> NDArray[np.int8]:
    pair = np.maximum(sets - len(EMOTIONS), 0)
    blend = len(EMOTIONS) + pair * len(RATIOS) + ratios[np.arange(len(sets)), pair]
    return TYPES[np.where(sets < len(EMOTIONS), sets, blend)]


def centre_actors(probabilities: ArrayLike, actor: NDArray) -> NDArray[np.float64]:
    """Log-probabilities less the mean over the actor's clips, plus the mean over the actors, as probabilities (n, 6).

    It reads no label, but all clips of an actor at once, those that are scored among them: transductive.
    """
    logs = np.log(np.maximum(as_probabilities(probabilities), SMALLEST))
    names, of_actor = np.unique(actor, return_inverse=True)
    means = np.zeros((len(names), logs.shape[1]))
    np.add.at(means, of_actor, logs)
    means /= np.bincount(of_actor)[:, np.newaxis]
    centred = logs - means[of_actor] + means.mean(axis=0)
    shares = np.exp(centred - centred.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def evaluate_decoders(data: OutOfFold, evaluations: Mapping[str, Evaluation], thresholds: Mapping[str, Any], draws: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Every decoder, plain and on actor-centred probabilities, under the protocols `paper`, `pooled` and `nested`, on the weights of each.

    What a decoder learns, it learns from the clips that the protocol chooses weights and thresholds on.

    Args:
        evaluations: from `evaluate_all`.
        thresholds: keyword arguments of `search_thresholds`.
        draws: resamples of the actors, see `draw_actors`.

    Returns:
        One row per decoder, normalisation and protocol: pooled figures with 95 % intervals, and the difference of Score from
        the plain thresholds of the same protocol.
    """
    rows = []
    for protocol in ("paper", "pooled", "nested"):
        decisions = _decide(data, protocol, evaluations[protocol], thresholds)
        for (decoder, centred), decided in decisions.items():
            difference = compare(decided, decisions["thresholds", False], data.truth, data.actor, draws)
            rows.append(
                {
                    "decoder": decoder,
                    "actor_centred": centred,  # transductive
                    "protocol": protocol,
                    "uses_scored_fold": evaluations[protocol].block["uses_scored_fold"],
                    **measure(decided, data.truth),
                    "intervals": interval_of(decided, data, draws),
                    "less_thresholds": difference._asdict(),
                }
            )
    return rows


def _decide(data: OutOfFold, protocol: str, evaluation: Evaluation, thresholds: Mapping[str, Any]) -> dict[tuple[str, bool], NDArray[np.int8]]:
    keys = [(decoder, centred) for centred in (False, True) for decoder in DECODERS]
    decisions = {key: np.zeros(data.truth.shape, dtype=np.int8) for key in keys}
    for fold, fusion in zip(np.unique(data.fold), evaluation.fusions, strict=True):
        assert fusion is not None, f"{protocol} scores every fold"
        scored = data.fold == fold
        known = {"paper": scored, "pooled": np.ones_like(scored), "nested": ~scored}[protocol]
        fused = fusion.decide(evaluation.probabilities)[0]
        for centred, p in ((False, fused), (True, centre_actors(fused, data.actor))):
            found = search_thresholds(p[known], data.truth[known], data.fold[known], **thresholds)
            heads = fit_heads(p[known], data.truth[known])
            decisions["thresholds", centred][scored] = decode(p[scored], found.alpha, found.beta)
            decisions["expected_score", centred][scored] = expected_score_decode(type_distribution(heads, p[scored]), heads.blend_share)
            decisions["set_and_ratio", centred][scored] = set_and_ratio_decode(heads, p[scored])
            decisions["salience_regression", centred][scored] = salience_regression_decode(heads, p[scored])
    return decisions
