"""The best presence and salience thresholds: over the official grid by a histogram, over all real numbers by a tree.

With the two most probable emotions, p1 >= p2 and d = p1 - p2, `decode` predicts a blend if p2 >= alpha and a blend of
the two is allowed at all, and it predicts 50/50 if d <= beta. So each clip that can be right turns right or wrong at one
alpha and one beta, and counting those turning points gives the score everywhere.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from blemore.data.labels import EMOTIONS
from blemore.fusion.metrics import presence_accuracy, salience_accuracy
from blemore.fusion.postprocess import TwoLargest, as_probabilities, decode, dominant, may_blend, two_largest

GRID = np.linspace(0.05, 0.95, 20)  # the official one, for alpha and for beta
NUMBER_AND_INDICES = np.stack([np.ones(len(EMOTIONS), int), np.arange(len(EMOTIONS))], axis=1)  # of the emotions present in a row, by a product
Choice = Literal["first", "plateau"]
Strategy = Literal["pooled", "mean_of_folds", "sequential", "best_fold"]


class Thresholds(NamedTuple):
    """A pair of thresholds and what it reaches on the clips it was chosen on."""

    alpha: float
    beta: float
    presence: float
    salience: float
    score: float


class GridScores(NamedTuple):
    """ACC_P and ACC_S at every point of the grid: (20 alphas, 20 betas)."""

    presence: NDArray[np.float64]
    salience: NDArray[np.float64]


class Labels(NamedTuple):
    """True emotions of n clips; `other` is -1 for a single emotion, `even` marks 50/50."""

    dominant: NDArray[np.int8]
    other: NDArray[np.int8]
    even: NDArray[np.bool_]


class TurningPoints(NamedTuple):
    """Where each clip turns right or wrong, (..., n): a blend is predicted for alpha <= `reach`, 50/50 for beta >= `difference`."""

    reach: NDArray[np.float64]  # -inf where no alpha gives a blend
    difference: NDArray[np.float64]
    alone: NDArray[np.bool_]  # the emotions are right unless a blend is predicted
    pair: NDArray[np.bool_]  # the emotions are right if a blend is predicted
    even: NDArray[np.bool_]  # the salience too, if it is 50/50
    uneven: NDArray[np.bool_]  # the salience too, if it is 70/30


def label(truth: ArrayLike) -> Labels:
    """Percent (n, 6) as emotions."""
    percent = np.asarray(truth)
    number, indices = ((percent > 0) @ NUMBER_AND_INDICES).T
    leading, blend = percent.argmax(axis=1), number == 2
    other = np.where(blend, indices - leading, -1)
    return Labels(leading.astype(np.int8), other.astype(np.int8), blend & (percent[np.arange(len(percent)), leading] == 50))


def turning_points(largest: TwoLargest, labels: Labels) -> TurningPoints:
    """The two largest probabilities, (..., n), against the truth of the n clips."""
    allowed = may_blend(largest)
    straight = (largest.first == labels.dominant) & (largest.second == labels.other)
    crossed = (largest.first == labels.other) & (largest.second == labels.dominant)
    pair = (straight | crossed) & allowed
    return TurningPoints(
        reach=np.where(allowed, largest.p_second, -np.inf),
        difference=largest.p_first - largest.p_second,
        alone=(largest.first == labels.dominant) & (labels.other < 0),
        pair=pair,
        even=pair & labels.even,
        uneven=pair & ~labels.even & (dominant(largest) == labels.dominant),
    )


def grid_sums(points: TurningPoints, presence_weight: NDArray[np.float64], salience_weight: NDArray[np.float64]) -> GridScores:
    """Sums of the weights of the right clips at every grid point, for k sets of probabilities at once.

    Args:
        points: of shape (k, n).
        presence_weight, salience_weight: (n,); with 1 / number of clips and 1 / number of blends the sums are the accuracies.

    Returns:
        presence (k, 20) and salience (k, 20, 20).
    """
    sets = len(points.reach)
    cells = len(GRID) + 1  # a clip in alpha cell c is a blend at the first c alphas; in beta cell c it is even from beta c on
    right = np.flatnonzero(points.alone | points.pair)  # of all sets and clips in one row, which is indexed faster
    row, clip = np.divmod(right, points.reach.shape[1])
    weight = np.where(points.pair.ravel()[right], 1, -1) * presence_weight[clip]
    alpha_cell = row * cells + np.searchsorted(GRID, points.reach.ravel()[right], side="right")
    blended = _from_above(np.bincount(alpha_cell, weight, sets * cells).reshape(sets, cells))
    presence = np.where(points.alone, presence_weight, 0).sum(axis=1, keepdims=True) + blended

    salient = (points.even | points.uneven).ravel()[right]
    right, clip, corner = right[salient], clip[salient], alpha_cell[salient] * cells
    beta_cell = corner + np.searchsorted(GRID, points.difference.ravel()[right], side="left")
    uneven, weight = points.uneven.ravel()[right], salience_weight[clip]
    # An uneven blend is right from the lowest beta on and turns wrong in its cell, where an even one turns right.
    change = np.concatenate([weight[uneven], np.where(uneven, -weight, weight)])
    turned = np.bincount(np.concatenate([corner[uneven], beta_cell]), change, sets * cells * cells).reshape(sets, cells, cells)
    return GridScores(presence, _from_above(turned.cumsum(axis=2)[..., :-1]))


def _from_above(turned: NDArray) -> NDArray[np.float64]:
    """Sums over the clips that are blends at each alpha: those of all higher cells."""
    return turned[:, :0:-1].cumsum(axis=1)[:, ::-1]


def grid_scores(probabilities: ArrayLike, truth: ArrayLike) -> GridScores:
    """ACC_P and ACC_S at the 400 points of the official grid, in O(n + 400).

    Args:
        probabilities: (n, 6), finite, n > 0.
        truth: percent (n, 6).
    """
    p, labels = _checked(probabilities, truth)
    one = np.ones(len(p))
    (presence,), (salience,) = grid_sums(turning_points(two_largest(p[np.newaxis]), labels), one, one)
    return GridScores(np.broadcast_to(presence[:, np.newaxis] / len(p), salience.shape), salience / _blends(labels))


def search_grid(probabilities: ArrayLike, truth: ArrayLike, choice: Choice = "first") -> Thresholds:
    """The best thresholds of the official grid.

    Args:
        probabilities: (n, 6), finite, n > 0.
        truth: percent (n, 6).
        choice: `first` maximum, the smallest alpha, then the smallest beta, as the official code | `plateau`, see `plateau_centre`.
    """
    presence, salience = grid_scores(probabilities, truth)
    scores = 0.5 * presence + 0.5 * salience
    if choice not in ("first", "plateau"):
        raise ValueError(f"choice must be first or plateau, not {choice!r}")
    best = divmod(int(scores.argmax()), len(GRID)) if choice == "first" else plateau_centre(scores)
    return Thresholds(float(GRID[best[0]]), float(GRID[best[1]]), float(presence[best]), float(salience[best]), float(scores[best]))


def best_grid_score(probabilities: ArrayLike, truth: ArrayLike) -> float:
    """The best Score on the official grid: what the organisers' training stops on."""
    return search_grid(probabilities, truth).score


def search_thresholds(probabilities: ArrayLike, truth: ArrayLike, folds: ArrayLike, choice: Choice = "first", strategy: Strategy = "pooled") -> Thresholds:
    """Thresholds for new clips from the labelled ones of several folds, and what they reach on all of these.

    Args:
        probabilities: (n, 6), finite, n > 0.
        truth: percent (n, 6).
        folds: (n,) any labels of the folds.
        choice: as in `search_grid`.
        strategy: `pooled` the optimum over all clips | the paper's three (section IV-D): `mean_of_folds` the mean of the folds'
            optima, `sequential` see `search_sequential`, `best_fold` the optimum of the fold that reaches the highest Score.
    """
    p, percent, fold = np.asarray(probabilities), np.asarray(truth), np.asarray(folds)
    if strategy not in get_args(Strategy):
        raise ValueError(f"strategy must be one of {', '.join(get_args(Strategy))}, not {strategy!r}")
    if strategy == "pooled":
        return search_grid(p, percent, choice)
    if strategy == "sequential":
        return search_sequential(p, percent)
    optima = [search_grid(p[fold == one], percent[fold == one], choice) for one in np.unique(fold)]
    if strategy == "best_fold":
        best = max(optima, key=lambda optimum: optimum.score)
        return _measured(p, percent, best.alpha, best.beta)
    return _measured(p, percent, *np.mean([(optimum.alpha, optimum.beta) for optimum in optima], axis=0).tolist())


def search_sequential(probabilities: ArrayLike, truth: ArrayLike) -> Thresholds:
    """On the official grid the alpha with the highest ACC_P, then the beta with the highest ACC_S at this alpha; the smallest of equal ones."""
    presence, salience = grid_scores(probabilities, truth)
    alpha = int(presence[:, 0].argmax())
    beta = int(salience[alpha].argmax())
    return _measured(np.asarray(probabilities), np.asarray(truth), float(GRID[alpha]), float(GRID[beta]))


def _measured(probabilities: NDArray, truth: NDArray, alpha: float, beta: float) -> Thresholds:
    decisions = decode(probabilities, alpha, beta)
    presence, salience = presence_accuracy(decisions, truth), salience_accuracy(decisions, truth)
    return Thresholds(alpha, beta, presence, salience, 0.5 * presence + 0.5 * salience)


def plateau_centre(scores: NDArray[np.float64]) -> tuple[int, int]:
    """The centre of the best plateau of a surface (alphas, betas).

    A point is as good as the mean over the 3x3 points around it (the border continues outwards), so a lone peak of lucky clips
    loses against a place where the thresholds hardly matter. The plateau is the largest connected set of equally best points,
    and its centre is the member nearest to its centroid; ties go to the smallest alpha, then the smallest beta.
    """
    around = np.round(ndimage.uniform_filter(scores, size=3, mode="nearest"), 12)
    regions, _ = ndimage.label(around == around.max())
    members = np.argwhere(regions == np.bincount(regions[regions > 0]).argmax())
    distance = np.round(np.square(members - members.mean(axis=0)).sum(axis=1), 9)
    alpha, beta = members[distance.argmin()]
    return int(alpha), int(beta)


def search_exact(probabilities: ArrayLike, truth: ArrayLike) -> Thresholds:
    """The optimum over all real thresholds, in O(n log n): an upper bound, over-fitted to the clips it is found on.

    Only values of p2 and of d can matter. The thresholds returned are such values themselves, which `decode` compares
    inclusively; beyond them an alpha above all p2 (no blend) and a beta of -1 (every blend is 70/30). Of equal optima the one
    with the smallest alpha, then the smallest beta, so `decode` with them reaches exactly the score returned.

    Args:
        probabilities: (n, 6), finite, n > 0.
        truth: percent (n, 6).
    """
    from blemore.fusion.exact import optimum  # compiles for seconds, which no other search needs

    p, labels = _checked(probabilities, truth)
    points = turning_points(two_largest(p), labels)
    of_clips = (points.reach, points.difference, points.alone, points.pair, points.even, points.even | points.uneven)
    alpha, beta, presence, salience = optimum(*of_clips, len(p), _blends(labels))
    return Thresholds(alpha, beta, presence, salience, 0.5 * presence + 0.5 * salience)


def _checked(probabilities: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], Labels]:
    p, percent = as_probabilities(probabilities), np.asarray(truth)
    if percent.shape != p.shape or not len(p):
        raise ValueError(f"probabilities {p.shape} and truth {percent.shape} must have the same shape, with at least one clip")
    return p, label(percent)


def _blends(labels: Labels) -> int:
    """The denominator of ACC_S; without a blend nothing is divided, and ACC_S is 0."""
    return max(int(np.count_nonzero(labels.other >= 0)), 1)
