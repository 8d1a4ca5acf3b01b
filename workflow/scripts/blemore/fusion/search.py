"""Searches for the weights of m encoders; what they maximise is `Objective`, the same for all."""

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.fusion.metrics import is_blend
from blemore.fusion.objective import best_scores
from blemore.fusion.steps import steps_of_one
from blemore.fusion.thresholds import label
from blemore.job import BadInput

if TYPE_CHECKING:
    from blemore.fusion.weights import Stack

DIGITS = 12  # objectives nearer than this differ by the order of a sum, not by a decision
STEPS = (0.1, 0.05, 0.02, 0.01)  # of the coordinate search
CHUNK = 4096  # points of the simplex that are scored at once
NS_PER_POINT_AND_CLIP = (40, 6)  # of the simplex: and further ones per encoder; measured, only for the estimate


class Data(NamedTuple):
    """What is known about n clips."""

    stack: "Stack"
    percent: NDArray  # truth, (n, 6)
    fold: NDArray
    geometric: bool  # the stack holds logarithms


class Objective:
    """The best Score on the official grid of any weights, each fold counting the same and each clip `times` (n,)."""

    def __init__(self, data: Data, times: NDArray[np.int64]) -> None:
        drawn = np.flatnonzero(times)
        fold, blends = np.unique(data.fold[drawn], return_inverse=True)[1], is_blend(data.percent[drawn])
        labels = label(data.percent[drawn])
        self.stack, self.geometric = data.stack.of(drawn), data.geometric
        self.labels = np.stack([labels.dominant, labels.other, labels.even.astype(np.int8)], axis=1)
        present, blend = times[drawn], times[drawn] * blends
        of_fold, blends_of_fold = np.bincount(fold, present), np.bincount(fold, blend)
        self.presence_weight = present / of_fold[fold] / len(of_fold)
        self.salience_weight = blend / np.maximum(blends_of_fold, 1)[fold] / max(int(np.count_nonzero(blends_of_fold)), 1)

    @property
    def members(self) -> int:
        """The number of encoders."""
        return len(self.stack.known)

    @property
    def clips(self) -> int:
        """The number of different clips."""
        return self.stack.known.shape[1]

    def __call__(self, candidates: NDArray, base: NDArray[np.float64] | None = None, base_total: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """The Score of k weights (k, m), each added to a weighted sum (n, 6) of total weight (n,); (k,)."""
        base = np.zeros((self.clips, 6)) if base is None else base
        base_total = np.zeros(self.clips) if base_total is None else base_total
        weights = np.ascontiguousarray(candidates, dtype=np.float64)
        known, available, fallback = self.stack
        of_clips = (self.labels, self.presence_weight, self.salience_weight)
        return np.round(best_scores(known, available, fallback, self.geometric, base, base_total, weights, *of_clips), DIGITS)


def greedy_bagged(data: Data, actor: NDArray[np.int64], picks: int, bags: int, seed: int) -> NDArray[np.float64]:
    """Ensemble selection with replacement (Caruana et al. 2004, ICML), bagged, there over encoders and here over actors.

    The mean of the shares over `bags` draws of as many actors, with replacement.
    """
    shares = np.zeros(len(data.stack.known))
    for bag in range(bags):
        drawn = np.random.default_rng([seed, bag]).integers(actor.max() + 1, size=actor.max() + 1)
        counts = select_greedily(Objective(data, np.bincount(drawn, minlength=actor.max() + 1)[actor]), picks)
        shares += counts / counts.sum()
    return shares / shares.sum()


def select_greedily(objective: Objective, picks: int) -> NDArray[np.int64]:
    """How often each encoder is in the first best of the ensembles that greedy selection passes; (m,).

    Starting from nothing, the encoder that helps most is added, `picks` times, the first of equally good ones.
    """
    known, available, _ = objective.stack
    counts, sums, total = np.zeros(objective.members, dtype=np.int64), np.zeros(known.shape[1:]), np.zeros(objective.clips)
    best, found = -np.inf, counts
    for _ in range(picks):
        reached = objective(np.eye(objective.members), sums, total)
        pick = int(reached.argmax())
        counts[pick] += 1
        sums += known[pick]
        total += available[pick]
        if reached[pick] > best:
            best, found = reached[pick], counts.copy()
    return found


def simplex(objective: Objective, step: float, max_hours: float) -> NDArray[np.float64]:
    """The first best of all weights that are multiples of `step` and sum to 1, the last encoders' weight growing last.

    Raises:
        BadInput: if that would take longer than `max_hours`, or if 1 is no multiple of the step.
    """
    parts = steps_of_one(step)
    points, hours = simplex_hours(objective.members, objective.clips, parts)
    if hours > max_hours:
        raise BadInput(
            f"the grid of weights with fusion.weights.step {step} has {points:,} points for {objective.members} encoders: about {hours:,.1f} h "
            f"for one search on {objective.clips} clips, more than the {max_hours:g} h of fusion.weights.max_hours; "
            "take a larger step, or the method greedy."
        )
    best, found = -np.inf, np.zeros(objective.members)
    for chunk in _compositions(parts, objective.members):
        reached = objective(chunk / parts)
        if reached.max() > best:
            best, found = reached.max(), chunk[reached.argmax()] / parts
    return found


def simplex_hours(members: int, clips: int, parts: int) -> tuple[int, float]:
    """Points of the grid of weights, and about how long one search over them takes."""
    points = comb(parts + members - 1, members - 1)
    per_clip, per_encoder = NS_PER_POINT_AND_CLIP
    return points, points * clips * (per_clip + per_encoder * min(members, parts)) * 1e-9 / 3600


def _compositions(parts: int, members: int) -> Iterator[NDArray[np.int64]]:
    """All ways to deal `parts` out to `members`, in chunks (k, m): the gaps between bars among stars."""
    bars = combinations(range(parts + members - 1), members - 1)
    while chunk := [bar for _, bar in zip(range(CHUNK), bars)]:
        edges = np.pad(np.array(chunk, dtype=np.int64).reshape(len(chunk), members - 1), ((0, 0), (1, 1)), constant_values=((0, 0), (-1, parts + members - 1)))
        yield np.diff(edges, axis=1) - 1


def coordinate(objective: Objective) -> NDArray[np.float64]:
    """From equal weights on, the best move of one weight up or down, with the others scaled, while it helps; then in smaller steps."""
    weights = np.full(objective.members, 1 / objective.members)
    best = objective(weights[np.newaxis])[0]
    for step in STEPS:
        while True:
            moves = np.maximum(weights + step * np.concatenate([np.eye(objective.members), -np.eye(objective.members)]), 0)
            moves = moves[moves.sum(axis=1) > 0]
            moves /= moves.sum(axis=1, keepdims=True)
            reached = objective(moves)
            if reached.max() <= best:
                break
            best, weights = reached.max(), moves[reached.argmax()]
    return weights


def cma_es(objective: Objective, evaluations: int, seed: int) -> NDArray[np.float64]:
    """The best weights that CMA-ES (Hansen 2016, arXiv:1604.00772) meets from equal ones on, which are the softmax of what it searches."""
    import cma  # 0.3 s, that no other method needs

    generator = np.random.default_rng(seed)
    draws = {"seed": np.nan, "randn": lambda *shape: generator.standard_normal(shape)}  # nothing global
    strategy = cma.CMAEvolutionStrategy(np.zeros(objective.members), 1.0, {"maxfevals": evaluations, "verbose": -9, **draws})
    best, found = -np.inf, np.full(objective.members, 1 / objective.members)
    while not strategy.stop():
        points = strategy.ask()
        exponentials = np.exp(np.array(points) - np.max(points, axis=1, keepdims=True))
        weights = exponentials / exponentials.sum(axis=1, keepdims=True)
        reached = objective(weights)
        if reached.max() > best:
            best, found = reached.max(), weights[reached.argmax()]
        strategy.tell(points, (-reached).tolist())
    return found
