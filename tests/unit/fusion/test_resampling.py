import numpy as np
import pytest
from scipy import stats
from unit.fusion.cases import random_truth

from blemore.fusion.protocols import measure
from blemore.fusion.resampling import compare, draw_actors, interval, rescore, tally


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    truth, actor = random_truth(rng, 200), np.sort(rng.integers(8, size=200))
    good, poor = (np.where(rng.random((200, 1)) < skill, truth, random_truth(rng, 200)) for skill in (0.6, 0.4))
    return good, poor, truth, np.char.add("A", actor.astype(str))


def test_a_resample_scores_what_its_clips_score(clips):
    good, _, truth, actor = clips
    draws = draw_actors(8, 30, seed=1)
    for draw, found in zip(draws, rescore(tally(good, truth, actor), draws), strict=True):
        rows = np.concatenate([np.tile(np.flatnonzero(actor == f"A{number}"), times) for number, times in enumerate(draw)])
        assert found == pytest.approx(list(measure(good[rows], truth[rows]).values()))


def test_draws_are_of_all_actors_and_of_the_seed():
    draws = draw_actors(15, 2000, seed=3)
    assert (draws.sum(axis=1) == 15).all()
    assert draws.mean(axis=0) == pytest.approx(np.ones(15), abs=0.1)
    assert np.array_equal(draws, draw_actors(15, 2000, seed=3))
    assert not np.array_equal(draws, draw_actors(15, 2000, seed=4))


def test_interval_of_a_mean_is_the_t_interval():
    values = np.random.default_rng(0).normal(size=12)
    resampled = (draw_actors(12, 200_000, seed=1) @ values) / 12
    half = stats.t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    low, high = interval(resampled, 12)
    assert (high - low) / 2 == pytest.approx(half, rel=0.04)


def test_comparison_is_paired(clips):
    good, poor, truth, actor = clips
    draws = draw_actors(8, 1000, seed=1)
    better, worse = compare(good, poor, truth, actor, draws), compare(poor, good, truth, actor, draws)
    assert better.difference == pytest.approx(measure(good, truth)["Score"] - measure(poor, truth)["Score"])
    assert better.low < better.difference < better.high
    assert (worse.difference, worse.low, worse.high) == pytest.approx((-better.difference, -better.high, -better.low))
    assert better.probability_above_zero > 0.95
    same = compare(good, good, truth, actor, draws)
    assert (same.difference, same.low, same.high, same.probability_above_zero) == (0, 0, 0, 0)


def test_clips_that_one_of_both_does_not_score_are_left_out_of_both(clips):
    good, poor, truth, actor = clips
    partly = good * (actor != "A0")[:, np.newaxis]
    here = actor != "A0"
    found = compare(partly, poor, truth, actor, draw_actors(8, 500, seed=1))
    assert found.difference == pytest.approx(measure(good[here], truth[here])["Score"] - measure(poor[here], truth[here])["Score"])
    assert found.n_clips == here.sum()
