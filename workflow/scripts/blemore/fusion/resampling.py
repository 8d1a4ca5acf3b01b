"""How certain a score is: decisions that stay as they are, rescored on resamples of the actors.

Clips of one actor are alike, so actors are drawn, not clips (Field and Welsh 2007, JRSS B, the cluster bootstrap).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from blemore.fusion.metrics import is_blend

LEVEL = 0.95


class Comparison(NamedTuple):
    """The Score of one system less that of another, on the same clips."""

    difference: float
    low: float
    high: float
    probability_above_zero: float  # share of the resamples
    n_clips: int


def tally(decisions: NDArray, truth: NDArray, actor: NDArray) -> NDArray[np.int64]:
    """Per actor, in ascending order: clips, clips with the right emotions, blends, blends with the right salience too; (a, 4).

    Args:
        decisions, truth: percent (n, 6); clips whose decision is all zero were not scored and count nowhere.
        actor: (n,).
    """
    scored, blend = decisions.any(axis=1), is_blend(truth)
    present = ((decisions > 0) == (truth > 0)).all(axis=1)
    salient = (np.round(decisions) == truth).all(axis=1)
    columns = np.stack([scored, scored & present, scored & blend, scored & blend & salient], axis=1)
    of_actor = np.unique(actor, return_inverse=True)[1]
    sums = np.zeros((of_actor.max() + 1, 4), dtype=np.int64)
    np.add.at(sums, of_actor, columns)
    return sums


def draw_actors(actors: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each actor is in each of the resamples, (resamples, actors); every row sums to the number of actors."""
    return np.random.default_rng(seed).multinomial(actors, np.full(actors, 1 / actors), size=resamples)


def rescore(tallies: NDArray[np.int64], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """ACC_P, ACC_S and Score of each resample, all its clips pooled; (r, 3). A resample without a blend has an ACC_S of 0."""
    clips, present, blends, salient = (draws @ tallies).T
    presence, salience = present / np.maximum(clips, 1), salient / np.maximum(blends, 1)
    return np.stack([presence, salience, 0.5 * presence + 0.5 * salience], axis=1)


def interval(values: NDArray[np.float64], actors: int) -> NDArray[np.float64]:
    """The 95 % interval of resampled values (r, ...), low and high: (2, ...).

    Percentiles of few actors are too narrow, so they are taken further out, where those of a normal distribution would give
    the t interval: the expanded percentile interval of Hesterberg 2015 (The American Statistician 69(4), section 5.3).
    """
    if actors < 2:
        return np.stack([values.min(axis=0), values.max(axis=0)])
    tail = stats.norm.cdf(np.sqrt(actors / (actors - 1)) * stats.t.ppf((1 - LEVEL) / 2, actors - 1))
    return np.quantile(values, [tail, 1 - tail], axis=0)


def compare(first: NDArray, second: NDArray, truth: NDArray, actor: NDArray, draws: NDArray[np.int64]) -> Comparison:
    """The Score of the first decisions less that of the second, both in percent (n, 6), on the clips that both have scored.

    Args:
        draws: of all actors in `actor`, see `draw_actors`; the same for all comparisons that shall stand beside each other.
    """
    both = np.asarray(first.any(axis=1) & second.any(axis=1))[:, np.newaxis]
    tallies = [tally(decisions * both, truth, actor) for decisions in (first, second)]
    once = np.ones((1, draws.shape[1]), dtype=np.int64)
    here, *resampled = (np.subtract(*(rescore(one, rows)[:, 2] for one in tallies)) for rows in (once, draws))
    low, high = interval(resampled[0], draws.shape[1])
    return Comparison(float(here[0]), float(low), float(high), float((resampled[0] > 0).mean()), int(both.sum()))
