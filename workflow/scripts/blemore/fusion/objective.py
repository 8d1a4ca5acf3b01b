"""What a weight search maximises, compiled: the best Score on the official grid of many weighted means, in one pass over the clips each.

numpy would walk over arrays of (candidates, clips, 6) some fifty times for what is a few comparisons per clip; the tests hold
this to `thresholds.grid_sums`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from blemore.fusion.postprocess import NEUTRAL
from blemore.fusion.thresholds import GRID

CELLS = len(GRID) + 1  # as in `thresholds.grid_sums`
STEP = GRID[1] - GRID[0]


@njit(nogil=True)
def best_scores(
    known: NDArray[np.float64],
    available: NDArray[np.bool_],
    fallback: NDArray[np.float64],
    geometric: bool,
    base: NDArray[np.float64],
    base_total: NDArray[np.float64],
    candidates: NDArray[np.float64],
    labels: NDArray[np.int8],
    presence_weight: NDArray[np.float64],
    salience_weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The best weighted Score over the 400 grid points, for each candidate.

    Args:
        known: (m, n, 6) values that are averaged, probabilities or their logarithms; 0 where an encoder has nothing.
        available: (m, n).
        fallback: (n, 6), where all weight lies on encoders that have nothing.
        geometric: the values are logarithms, so the mean passes a softmax.
        base, base_total: (n, 6) and (n,), a weighted sum and its weights that every candidate adds to.
        candidates: (k, m) weights, not negative.
        labels: (n, 3), dominant emotion, other one or -1, 1 for 50/50.
        presence_weight, salience_weight: (n,) what a right clip adds to ACC_P and to ACC_S.

    Returns:
        (k,).
    """
    found = np.empty(len(candidates))
    presence, salience, p, chosen = np.empty(CELLS), np.empty((CELLS, CELLS)), np.empty(6), np.empty(candidates.shape[1], np.int64)
    for candidate in range(len(candidates)):
        members = 0
        for member in range(candidates.shape[1]):
            if candidates[candidate, member] > 0:
                chosen[members] = member
                members += 1
        presence[:], salience[:], alone = 0.0, 0.0, 0.0
        for clip in range(len(base)):
            _mean(known, available, fallback, base, base_total, candidates[candidate], chosen[:members], clip, p)
            if geometric:
                _softmax(p)
            first, second = _two_largest(p)
            dominant, other, even = labels[clip, 0], labels[clip, 1], labels[clip, 2]
            blend = p[second] > 0 and first != NEUTRAL and second != NEUTRAL
            if other < 0:
                if first == dominant:
                    alone += presence_weight[clip]
                    presence[_cell(p[second], True) if blend else 0] -= presence_weight[clip]
            elif blend and ((first == dominant and second == other) or (first == other and second == dominant)):
                row = _cell(p[second], True)
                presence[row] += presence_weight[clip]
                column = _cell(p[first] - p[second], False)
                if even:
                    salience[row, column] += salience_weight[clip]
                elif (first if p[first] > p[second] else second) == dominant:
                    salience[row, 0] += salience_weight[clip]
                    salience[row, column] -= salience_weight[clip]
        found[candidate] = _best(alone, presence, salience)
    return found


@njit(nogil=True)
def _mean(known, available, fallback, base, base_total, weights, members, clip, p):  # type: ignore[no-untyped-def]
    total = base_total[clip]
    for emotion in range(6):
        p[emotion] = base[clip, emotion]
    for member in members:
        if available[member, clip]:
            total += weights[member]
            for emotion in range(6):
                p[emotion] += weights[member] * known[member, clip, emotion]
    for emotion in range(6):
        p[emotion] = p[emotion] / total if total > 0 else fallback[clip, emotion]


@njit(nogil=True)
def _softmax(p):  # type: ignore[no-untyped-def]
    largest, total = p[0], 0.0
    for emotion in range(1, 6):
        largest = max(largest, p[emotion])
    for emotion in range(6):
        p[emotion] = math.exp(p[emotion] - largest)
        total += p[emotion]
    for emotion in range(6):
        p[emotion] /= total


@njit(nogil=True)
def _two_largest(p):  # type: ignore[no-untyped-def]
    first, second = (0, 1) if p[0] >= p[1] else (1, 0)
    for emotion in range(2, 6):
        if p[emotion] > p[first]:
            first, second = emotion, first
        elif p[emotion] > p[second]:
            second = emotion
    return first, second


@njit(nogil=True)
def _cell(value, inclusive):  # type: ignore[no-untyped-def]
    """How many grid points are below the value, or at most it."""
    cell = min(max(int((value - GRID[0]) / STEP), 0), CELLS - 2)  # nearly right; comparing settles it
    while cell > 0 and not (GRID[cell - 1] < value or (inclusive and GRID[cell - 1] == value)):
        cell -= 1
    while cell < CELLS - 1 and (GRID[cell] < value or (inclusive and GRID[cell] == value)):
        cell += 1
    return cell


@njit(nogil=True)
def _best(alone, presence, salience):  # type: ignore[no-untyped-def]
    """Goes down the alphas, adding the clips that become blends, and at each one up the betas."""
    best, present, column = -np.inf, alone, np.zeros(CELLS)
    for alpha in range(CELLS - 2, -1, -1):
        present += presence[alpha + 1]
        salient = 0.0
        for beta in range(CELLS - 1):
            column[beta] += salience[alpha + 1, beta]
            salient += column[beta]
            best = max(best, 0.5 * present + 0.5 * salient)
    return best
