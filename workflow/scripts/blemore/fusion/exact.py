"""The best thresholds over all real numbers, compiled: a segment tree in plain Python takes longer than all the rest of the search."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True)
def optimum(
    reach: NDArray[np.float64],
    difference: NDArray[np.float64],
    alone: NDArray[np.bool_],
    pair: NDArray[np.bool_],
    even: NDArray[np.bool_],
    salient: NDArray[np.bool_],
    clips: int,
    blends: int,
) -> tuple[float, float, float, float]:
    """The first of the optimal pairs, by alpha, then by beta, in O(n log n); only values of `reach` and of `difference` can matter.

    Args:
        reach, difference, alone, pair, even: (n,), see `thresholds.TurningPoints`.
        salient: (n,) whether some beta makes the clip's salience right.
        clips, blends: the denominators of ACC_P and ACC_S.

    Returns:
        alpha, beta, ACC_P and ACC_S; an alpha above all of `reach` makes no blend, and a beta of -1 makes every one 70/30.
    """
    counts = np.flatnonzero((alone | pair) & np.isfinite(reach))
    counts = counts[np.argsort(-reach[counts])]
    differences = np.unique(difference[salient])
    rank = np.searchsorted(differences, difference)
    down = counts[salient[counts]]
    right = best_prefix_sums(rank[down], np.where(even[down], 1, -1))
    present, uneven, used = alone.sum(), 0, 0
    alpha = np.nextafter(reach[counts[0]] if len(counts) else 0.5, np.inf)
    best = (alpha, present / clips, 0.0)
    for position, clip in enumerate(counts):
        present += 1 if pair[clip] else -1
        used += salient[clip]
        uneven += salient[clip] and not even[clip]
        if position + 1 < len(counts) and reach[counts[position + 1]] == reach[clip]:
            continue
        presence, salience = present / clips, (right[used] + uneven) / blends
        if 0.5 * presence + 0.5 * salience >= 0.5 * best[1] + 0.5 * best[2]:
            best = (reach[clip], presence, salience)
    gained = np.zeros(len(differences), np.int64)
    for clip in down:
        if reach[clip] >= best[0]:
            gained[rank[clip]] += 1 if even[clip] else -1
    return best[0], _first_best(differences, gained), best[1], best[2]


@njit(nogil=True)
def _first_best(differences, gained):  # type: ignore[no-untyped-def]
    beta, best, total = -1.0, 0, 0
    for rank in range(len(differences)):
        total += gained[rank]
        if total > best:
            beta, best = differences[rank], total
    return beta


@njit(nogil=True)
def best_prefix_sums(ranks: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest sum of steps over the lowest ranks, before the first step and after each one, (n + 1,); no rank at all sums to 0.

    A segment tree over the ranks holds the sum and the best prefix sum of each node; a step changes the nodes above its rank.
    """
    leaves = 1
    while leaves < len(ranks):
        leaves *= 2
    total, best = np.zeros(2 * leaves, np.int64), np.zeros(2 * leaves, np.int64)
    found = np.zeros(len(ranks) + 1, np.int64)
    for index in range(len(ranks)):
        node = leaves + ranks[index]
        total[node] += steps[index]
        best[node] = max(total[node], 0)
        while node > 1:
            node //= 2
            total[node] += steps[index]
            best[node] = max(best[2 * node], total[2 * node] + best[2 * node + 1])
        found[index + 1] = best[1]
    return found
