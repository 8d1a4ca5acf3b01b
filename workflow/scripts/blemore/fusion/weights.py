"""Late fusion: a weighted mean of the encoders' probabilities, and the search for its weights."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blemore.data.labels import EMOTIONS
from blemore.fusion.metrics import is_blend
from blemore.fusion.postprocess import two_largest
from blemore.fusion.thresholds import Labels, grid_sums, label, turning_points

Method = Literal["greedy", "uniform"]
DIGITS = 12  # objectives nearer than this differ by the order of a sum, not by a decision


class Stack(NamedTuple):
    """Probabilities of m encoders for n clips, emotions first: then all arithmetic runs over long contiguous rows."""

    known: NDArray[np.float64]  # (6, m, n); 0 where an encoder has nothing
    available: NDArray[np.bool_]  # (m, n)
    fallback: NDArray[np.float64]  # (6, n): the plain mean of what is available, 1/6 where nothing is

    def of(self, clips: NDArray) -> "Stack":
        """The chosen clips."""
        return Stack(np.ascontiguousarray(self.known[..., clips]), self.available[:, clips], self.fallback[:, clips])

    def normalised(self, sums: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sums (6, ..., n) over the weights that took part (..., n); the fallback where none did."""
        empty = total == 0
        if not empty.any():
            return sums / total
        fallback = self.fallback.reshape(len(sums), *[1] * (total.ndim - 1), -1)
        return (sums + empty * fallback) / (total + empty)


class Evidence(NamedTuple):
    """What greedy selection is told about n clips."""

    stack: Stack
    labels: Labels
    presence_weight: NDArray[np.float64]  # (n,): how much a clip that is right adds to ACC_P
    salience_weight: NDArray[np.float64]  # (n,)


def stack(probabilities: ArrayLike) -> Stack:
    """(m, n, 6) as a `Stack`; an encoder has nothing for a clip whose row is not finite."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 3 or p.shape[2] != len(EMOTIONS) or not len(p):
        raise ValueError(f"probabilities must be (m, n, {len(EMOTIONS)}) with m > 0, not {p.shape}")
    available = np.asarray(np.isfinite(p).all(axis=2))
    known = np.ascontiguousarray(np.moveaxis(np.where(available[..., np.newaxis], p, 0), 2, 0))
    count = available.sum(axis=0)
    fallback = np.where(count > 0, known.sum(axis=1) / np.maximum(count, 1), 1 / len(EMOTIONS))
    return Stack(known, available, fallback)


def fuse(probabilities: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """The weighted mean over the encoders, clip by clip renormalised to those that have a finite row.

    Where all available encoders have weight 0 they count the same. A clip that no encoder has gets 1/6 for every emotion:
    it stays in every denominator, and its decision is a guess like that of any undecided clip.

    Args:
        probabilities: (m, n, 6); NaN rows where an encoder has nothing.
        weights: (m,), not negative.

    Returns:
        (n, 6) float64, finite.
    """
    stacked, weight = stack(probabilities), np.asarray(weights, dtype=np.float64)
    if weight.shape != stacked.available.shape[:1] or not (weight >= 0).all():
        raise ValueError(f"{len(stacked.available)} encoders need as many weights that are not negative, not {weight.tolist()}")
    # Plain sums, one encoder after the other: a matrix product's bits depend on the number of threads.
    sums = (stacked.known * weight[:, np.newaxis]).sum(axis=1)
    total = (stacked.available * weight[:, np.newaxis]).sum(axis=0)
    return np.ascontiguousarray(stacked.normalised(sums, total).T)


def search_weights(
    probabilities: ArrayLike,
    truth: ArrayLike,
    folds: ArrayLike,
    method: Method,
    *,
    actors: Sequence[str] | None = None,
    picks: int = 50,
    bags: int = 20,
    seed: int = 1,
) -> NDArray[np.float64]:
    """Weights of the encoders.

    `greedy` is ensemble selection with replacement (Caruana et al. 2004, ICML): starting from nothing, it adds the encoder that
    helps most, `picks` times, and takes the first best of the ensembles passed; the weights are its shares. This is bagged,
    there over encoders and here over actors: the mean over `bags` draws of as many actors, with replacement.
    What it maximises is the best Score on the official grid, with one pair of thresholds for all clips and ACC_P and ACC_S
    averaged over `folds`, so that each fold counts the same. Of equally good encoders the first is added.

    Args:
        probabilities: (m, n, 6); NaN rows where an encoder has nothing.
        truth: percent (n, 6).
        folds: (n,) any labels of the folds; all equal to pool the clips.
        method: greedy | uniform.
        actors: (n,) whom each clip shows; None: every clip stands for itself.
        picks, bags, seed: of the greedy selection.

    Returns:
        (m,), not negative, sum 1; the same for the same arguments, whatever the number of threads.
    """
    stacked, percent, fold = stack(probabilities), np.asarray(truth), np.asarray(folds)
    encoders, clips = stacked.available.shape
    if percent.shape != (clips, len(EMOTIONS)) or fold.shape != (clips,) or (actors is not None and len(actors) != clips) or not clips:
        raise ValueError(f"probabilities {(encoders, clips)}, truth {percent.shape}, folds {fold.shape} and actors must be of the same clips, at least one")
    if method not in ("greedy", "uniform") or min(picks, bags) < 1:
        raise ValueError(f"method must be greedy or uniform, not {method!r}, with picks and bags of 1 or more, not {picks} and {bags}")
    if method == "uniform" or encoders == 1:
        return np.full(encoders, 1 / encoders)
    actor = np.unique(np.arange(clips) if actors is None else np.asarray(actors), return_inverse=True)[1]
    shares = np.zeros(encoders)
    for bag in range(bags):
        drawn = np.random.default_rng([seed, bag]).integers(actor.max() + 1, size=actor.max() + 1)
        counts = select_greedily(_evidence(stacked, percent, fold, np.bincount(drawn, minlength=actor.max() + 1)[actor]), picks)
        shares += counts / counts.sum()
    return shares / shares.sum()


def _evidence(stacked: Stack, percent: NDArray, fold: NDArray, times: NDArray[np.int64]) -> Evidence:
    """The clips that are drawn at least once, each counted `times`."""
    drawn = np.flatnonzero(times)
    index = np.unique(fold[drawn], return_inverse=True)[1]
    present, blend = times[drawn], times[drawn] * is_blend(percent[drawn])
    clips, blends = np.bincount(index, present), np.bincount(index, blend)
    presence_weight = present / clips[index] / len(clips)
    salience_weight = blend / np.maximum(blends, 1)[index] / max(int(np.count_nonzero(blends)), 1)
    return Evidence(stacked.of(drawn), label(percent[drawn]), presence_weight, salience_weight)


def select_greedily(evidence: Evidence, picks: int) -> NDArray[np.int64]:
    """How often each encoder is in the first best of the ensembles that greedy selection passes; (m,)."""
    known, available = evidence.stack.known, evidence.stack.available
    counts, sums, total = np.zeros(len(available), dtype=np.int64), np.zeros_like(known[:, 0]), np.zeros(known.shape[2])
    best, found = -np.inf, counts
    for _ in range(picks):
        reached = best_on_grid(evidence, evidence.stack.normalised(sums[:, np.newaxis] + known, total + available))
        pick = int(reached.argmax())
        counts[pick] += 1
        sums += known[:, pick]
        total += available[pick]
        if reached[pick] > best:
            best, found = reached[pick], counts.copy()
    return found


def best_on_grid(evidence: Evidence, fused: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best weighted Score of k candidates (6, k, n) over the official grid; (k,)."""
    points = turning_points(two_largest(np.moveaxis(fused, 0, -1)), evidence.labels)
    presence, salience = grid_sums(points, evidence.presence_weight, evidence.salience_weight)
    scores = 0.5 * presence[..., np.newaxis] + 0.5 * salience
    return np.round(scores.max(axis=(1, 2)), DIGITS)
