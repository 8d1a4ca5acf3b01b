"""Are the folds' thresholds apart because people differ, or because few clips choose them?

The paper reads the spread of beta over folds as personal style. A spread also arises from choosing on some 490 clips each. So the
same spread is measured where the suspected cause is absent: see `NULLS`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.fusion.metrics import is_blend
from blemore.fusion.postprocess import two_largest
from blemore.fusion.simulator import Population, simulate_like
from blemore.fusion.thresholds import GRID, TurningPoints, grid_scores, grid_sums, label, turning_points

STATISTICS = ("alpha_std", "beta_std", "regret")
NULLS = {
    "actors_in_random_folds": "actors keep their clips, and are dealt to folds of as many actors at random",
    "clips_of_random_actors": "clips of the same label are dealt to actors at random, so that no actor has a style",
    "simulated_without_style": "probabilities are drawn from one distribution for all actors, of about the same Score",
}
LEVEL = 0.05
DIGITS = 12  # statistics nearer than this are equal


class Folds(NamedTuple):
    """The folds' own best thresholds, and how they do elsewhere."""

    alpha: NDArray[np.float64]  # (k,)
    beta: NDArray[np.float64]
    transfer: NDArray[np.float64]  # (k, k): Score on the fold of the column by the thresholds of the row

    def statistics(self) -> NDArray[np.float64]:
        """See STATISTICS: standard deviations over folds, and how much Score other folds' thresholds lose on average; (3,)."""
        others = ~np.eye(len(self.alpha), dtype=bool)
        regret = (np.diag(self.transfer) - self.transfer)[others].mean()
        return np.round([self.alpha.std(ddof=1), self.beta.std(ddof=1), regret], DIGITS)


def surfaces(fused: NDArray[np.float64], truth: NDArray, fold: NDArray) -> NDArray[np.float64]:
    """The Score of each fold, in ascending order, at the 400 points of the official grid: (k, 20 alphas, 20 betas)."""
    scores = [grid_scores(fused[fold == one], truth[fold == one]) for one in np.unique(fold)]
    return np.array([0.5 * presence + 0.5 * salience for presence, salience in scores])


def compare_folds(surface: NDArray[np.float64]) -> Folds:
    """The first maximum of each fold's surface (k, 20, 20), applied to every fold."""
    row, column = np.divmod(np.round(surface, DIGITS).reshape(len(surface), -1).argmax(axis=1), len(GRID))
    return Folds(GRID[row], GRID[column], surface[:, row, column].T)


def analyse(fused: NDArray[np.float64], truth: NDArray, fold: NDArray, actor: NDArray, resamples: int, seed: int) -> dict[str, Any]:
    """Surfaces, thresholds and transfer of the folds, and each statistic beside what the nulls give.

    Args:
        fused: (n, 6), by weights that are the same for all clips: weights of each fold would add to its spread.
        truth: percent (n, 6).
        fold, actor: (n,), at least two folds.
        resamples: of each null.

    Returns:
        As JSON. `p_value` is the share of null draws, the data among them, whose statistic is at least as large (one-sided).
    """
    surface = surfaces(fused, truth, fold)
    found = compare_folds(surface)
    observed = found.statistics()
    draws = _null_draws(fused, truth, fold, actor, resamples, seed)
    tests = {name: {one: _test(observed[index], drawn[:, index]) for index, one in enumerate(STATISTICS)} for name, drawn in draws.items()}
    return {
        "folds": np.unique(fold).tolist(),
        "alpha": found.alpha.tolist(),
        "beta": found.beta.tolist(),
        "transfer": found.transfer.tolist(),
        "surfaces": surface.tolist(),
        "statistics": dict(zip(STATISTICS, observed.tolist(), strict=True)),
        "nulls": tests,
        "conclusion": conclusion(found, tests),
    }


def _test(observed: float, drawn: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    p_value = (1 + np.count_nonzero(drawn >= observed)) / (1 + len(drawn))
    return {"p_value": float(p_value), "null_mean": float(drawn.mean()), "null_low": float(low), "null_high": float(high)}


def _null_draws(fused: NDArray, truth: NDArray, fold: NDArray, actor: NDArray, resamples: int, seed: int) -> dict[str, NDArray[np.float64]]:
    labels = label(truth)
    points = turning_points(two_largest(fused), labels)
    blend, kind, number_of_actor = is_blend(truth), kinds(truth), np.unique(actor, return_inverse=True)[1]
    population = matching_population(fused, truth, number_of_actor, seed)
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in NULLS}
    for number in range(resamples):
        rng = np.random.default_rng([seed, number])
        drawn["actors_in_random_folds"].append(_statistics(points, blend, deal_actors(rng, fold, number_of_actor)))
        drawn["clips_of_random_actors"].append(_statistics(points, blend, deal_clips(rng, fold, kind)))
        simulated = simulate_like(population, rng, truth, number_of_actor)[0]
        drawn["simulated_without_style"].append(_statistics(turning_points(two_largest(simulated), labels), blend, fold))
    return {name: np.array(rows) for name, rows in drawn.items()}


def _statistics(points: TurningPoints, blend: NDArray[np.bool_], fold: NDArray) -> NDArray[np.float64]:
    """Those of `compare_folds(surfaces(…))`, all folds at once and without finding the two largest again."""
    inside = fold == np.unique(fold)[:, np.newaxis]
    reach, difference = (np.broadcast_to(values, inside.shape) for values in (points.reach, points.difference))
    of_folds = TurningPoints(reach, difference, *(right & inside for right in (points.alone, points.pair, points.even, points.uneven)))
    one = np.ones(len(fold))
    presence, salience = grid_sums(of_folds, one, one)
    clips, blends = inside.sum(axis=1), np.maximum((blend & inside).sum(axis=1), 1)
    surface = 0.5 * presence[:, :, np.newaxis] / clips[:, np.newaxis, np.newaxis] + 0.5 * salience / blends[:, np.newaxis, np.newaxis]
    return compare_folds(surface).statistics()


def kinds(truth: NDArray) -> NDArray[np.int64]:
    """The number of each clip's label among those that occur, (n,)."""
    return np.unique(truth, axis=0, return_inverse=True)[1]


def deal_actors(rng: np.random.Generator, fold: NDArray, actor: NDArray) -> NDArray:
    """Folds (n,) with as many actors as before, whole actors dealt at random."""
    _, first, of_actor = np.unique(actor, return_index=True, return_inverse=True)
    return rng.permutation(fold[first])[of_actor]


def deal_clips(rng: np.random.Generator, fold: NDArray, kind: NDArray) -> NDArray:
    """Folds (n,) with as many clips of every kind as before, clips dealt at random."""
    dealt = fold.copy()
    for one in range(kind.max() + 1):
        clips = np.flatnonzero(kind == one)
        dealt[clips] = rng.permutation(fold[clips])
    return dealt


def matching_population(fused: NDArray, truth: NDArray, actor: NDArray, seed: int) -> Population:
    """One encoder without style that reaches about the Score of the fused probabilities at the best thresholds for all clips."""
    target = _best(fused, truth)
    low, high = 0.0, 8.0
    for _ in range(12):
        middle = (low + high) / 2
        simulated = simulate_like(Population((middle,), 0.0, 0.0), np.random.default_rng(seed), truth, actor)[0]
        low, high = (middle, high) if _best(simulated, truth) < target else (low, middle)
    return Population(((low + high) / 2,), 0.0, 0.0)


def _best(probabilities: NDArray, truth: NDArray) -> float:
    presence, salience = grid_scores(probabilities, truth)
    return float((0.5 * presence + 0.5 * salience).max())


def conclusion(found: Folds, tests: dict[str, dict[str, dict[str, float]]]) -> str:
    """One sentence: whether beta's spread is more than that of actors without style, and in folds of random actors."""
    values = [tests[name]["beta_std"]["p_value"] for name in NULLS]
    spread = f"beta goes from {found.beta.min():.2f} to {found.beta.max():.2f} over folds (alpha from {found.alpha.min():.2f} to {found.alpha.max():.2f})"
    against = ("actors in random folds", "clips of random actors", "simulated actors without style")
    p_values = ", ".join(f"p = {value:.3f} against {name}" for value, name in zip(values, against, strict=True))
    if max(values[1:]) <= LEVEL:
        verdict = "more than clips without personal style give, so actors differ"
    elif min(values[1:]) > LEVEL:
        verdict = "no more than selection noise gives, so this is no evidence of personal style; so few folds would show only a strong one"
    else:
        verdict = "and the two comparisons without personal style disagree, so style is not shown"
    return f"{spread}, {verdict} ({p_values})."
