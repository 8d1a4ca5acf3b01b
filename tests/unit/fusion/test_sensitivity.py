import numpy as np
import pytest

from blemore.fusion.metrics import is_blend, score
from blemore.fusion.postprocess import decode, two_largest
from blemore.fusion.sensitivity import (
    NULLS,
    STATISTICS,
    Folds,
    _statistics,
    analyse,
    compare_folds,
    conclusion,
    deal_actors,
    deal_clips,
    kinds,
    matching_population,
    surfaces,
)
from blemore.fusion.simulator import Population, simulate, simulate_like
from blemore.fusion.thresholds import GRID, label, search_grid, turning_points


@pytest.fixture(scope="module")
def data():
    return simulate(Population((1.5,), 0.0, 0.3), seed=1)


def test_surfaces_and_transfer_by_decoding(data):
    fused = data.probabilities[0]
    surface = surfaces(fused, data.truth, data.fold)
    found = compare_folds(surface)
    for fold in range(5):
        clips = data.fold == fold
        best = search_grid(fused[clips], data.truth[clips])
        assert (found.alpha[fold], found.beta[fold]) == (best.alpha, best.beta)
        assert surface[fold, 3, 7] == pytest.approx(score(decode(fused[clips], GRID[3], GRID[7]), data.truth[clips]))
        for other in range(5):
            expected = score(decode(fused[clips], found.alpha[other], found.beta[other]), data.truth[clips])
            assert found.transfer[other, fold] == pytest.approx(expected)


def test_statistics_by_hand():
    transfer = np.array([[0.5, 0.3], [0.4, 0.6]])  # on fold 0: its own .5, the other's .4; on fold 1: .6 and .3
    found = Folds(np.array([0.1, 0.1]), np.array([0.2, 0.4]), transfer)
    assert found.statistics() == pytest.approx([0, np.sqrt(0.02), 0.2])


def test_nulls_are_measured_as_the_data_are(data):
    points = turning_points(two_largest(data.probabilities[0]), label(data.truth))
    fast = _statistics(points, is_blend(data.truth), data.fold)
    assert np.array_equal(fast, compare_folds(surfaces(data.probabilities[0], data.truth, data.fold)).statistics())


def test_dealt_actors_stay_whole(data):
    dealt = deal_actors(np.random.default_rng(0), data.fold, data.actor)
    folds_of = {actor: set(dealt[data.actor == actor]) for actor in set(data.actor)}
    assert all(len(folds) == 1 for folds in folds_of.values())
    assert sorted(min(folds) for folds in folds_of.values()) == sorted(data.fold[data.actor == actor][0] for actor in set(data.actor))
    assert not np.array_equal(dealt, data.fold)


def test_dealt_clips_keep_the_labels_of_every_fold(data):
    dealt = deal_clips(np.random.default_rng(0), data.fold, kinds(data.truth))
    for fold in range(5):
        before, after = (sorted(map(tuple, data.truth[folds == fold].tolist())) for folds in (data.fold, dealt))
        assert before == after
    assert not np.array_equal(dealt, data.fold)


def test_the_matching_population_scores_as_much(data):
    population = matching_population(data.probabilities[0], data.truth, data.actor, seed=1)
    assert population.style == 0
    other = simulate_like(population, np.random.default_rng(5), data.truth, data.actor)[0]
    assert search_grid(other, data.truth).score == pytest.approx(search_grid(data.probabilities[0], data.truth).score, abs=0.02)


def test_folds_that_need_different_thresholds_are_found():
    """Fold 1's margins are stretched: its beta is another, and no dealing of clips or drawing of noise gives such a spread."""
    data = simulate(Population((3.0,), 0.0, 0.0), seed=2)
    fused = np.where((data.fold == 1)[:, np.newaxis], data.probabilities[0] ** 6, data.probabilities[0] ** 0.7)
    result = analyse(fused / fused.sum(axis=1, keepdims=True), data.truth, data.fold, data.actor, resamples=60, seed=1)
    assert result["nulls"]["clips_of_random_actors"]["regret"]["p_value"] == pytest.approx(1 / 61)
    assert result["nulls"]["simulated_without_style"]["regret"]["p_value"] == pytest.approx(1 / 61)


def test_without_style_the_p_values_are_not_small_more_often_than_they_should():
    """Under the null the p-value is at most .2 in about a fifth of the data sets: of 20, more than 9 would be a chance of 1 in 400."""
    small = 0
    for seed in range(20):
        data = simulate(Population((1.5,), 0.0, 0.0), seed=seed)
        points, blend, rng = turning_points(two_largest(data.probabilities[0]), label(data.truth)), is_blend(data.truth), np.random.default_rng(seed)
        observed = _statistics(points, blend, data.fold)[2]
        drawn = [_statistics(points, blend, deal_clips(rng, data.fold, kinds(data.truth)))[2] for _ in range(19)]
        small += (1 + np.count_nonzero(np.array(drawn) >= observed)) / 20 <= 0.2
    assert small <= 9


def test_the_analysis_is_complete_and_repeatable(data):
    first, second = (analyse(data.probabilities[0], data.truth, data.fold, data.actor, resamples=5, seed=1) for _ in range(2))
    assert first == second
    assert set(first["nulls"]) == set(NULLS)
    assert all(set(tests) == set(STATISTICS) for tests in first["nulls"].values())
    assert np.shape(first["surfaces"]) == (5, 20, 20)


@pytest.mark.parametrize(("p_values", "verdict"), [((0.5, 0.01, 0.02), "actors differ"), ((0.01, 0.3, 0.4), "no evidence"), ((0.5, 0.01, 0.4), "disagree")])
def test_the_sentence_follows_from_the_p_values(p_values, verdict):
    tests = {name: {"beta_std": {"p_value": p_value}} for name, p_value in zip(NULLS, p_values, strict=True)}
    found = Folds(np.array([0.1, 0.14]), np.array([0.05, 0.43]), np.zeros((2, 2)))
    sentence = conclusion(found, tests)
    assert verdict in sentence
    assert sentence.startswith("beta goes from 0.05 to 0.43")
