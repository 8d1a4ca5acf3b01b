import numpy as np
import pytest
from hypothesis import given, settings
from unit.fusion.cases import degenerate, labelled_clips, random_probabilities, random_truth
from unit.fusion.slow import slow_grid, slow_optimum

from blemore.fusion.exact import best_prefix_sums
from blemore.fusion.metrics import presence_accuracy, salience_accuracy, score
from blemore.fusion.postprocess import decode
from blemore.fusion.thresholds import GRID, best_grid_score, grid_scores, plateau_centre, search_exact, search_grid, search_thresholds

ANCHOR = np.array(
    [[0.7, 0.1, 0.05, 0.03, 0.02, 0.1], [0.2, 0.6, 0.05, 0.03, 0.02, 0.1], [0.1, 0.1, 0.6, 0.05, 0.05, 0.1], [0, 0, 0, 0, 0.4, 0.6], [0.9, 0, 0, 0, 0, 0.1]]
)
ANCHOR_TRUTH = np.array([[70, 30, 0, 0, 0, 0], [0, 50, 50, 0, 0, 0], [0, 0, 50, 0, 50, 0], [0, 0, 0, 0, 0, 100], [100, 0, 0, 0, 0, 0]])


def cases(count, seed, clips):
    """Random probabilities of any skill, and degenerate ones; labels from no blend to blends only, sometimes all neutral."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = int(rng.integers(1, clips + 1))
        truth = random_truth(rng, n, blends=rng.choice([0.0, 0.54, 1.0]))
        if rng.random() < 0.05:
            truth[:] = [0, 0, 0, 0, 0, 100]
        yield (random_probabilities(rng, truth, rng.uniform(0, 3)) if rng.random() < 0.4 else degenerate(rng, n)), truth


def test_official_regression_anchor():
    assert search_grid(ANCHOR, ANCHOR_TRUTH) == (0.05, 0.05, 0.6, pytest.approx(1 / 3), pytest.approx((0.6 + 1 / 3) / 2))


@pytest.mark.parametrize("seed", range(4))
def test_all_400_points_as_decoding_clip_by_clip(seed):
    for probabilities, truth in cases(20, seed, clips=8):
        slow = slow_grid(probabilities, truth)
        presence, salience = grid_scores(probabilities, truth)
        assert np.array_equal(presence, slow[..., 0])
        assert np.array_equal(salience, slow[..., 1])


def test_points_of_two_thousand_cases_as_decoding_there():
    rng = np.random.default_rng(10)
    for probabilities, truth in cases(2000, 10, clips=60):
        presence, salience = grid_scores(probabilities, truth)
        for alpha, beta in [(0, 0), *rng.integers(0, 20, (6, 2))]:
            decisions = decode(probabilities, GRID[alpha], GRID[beta])
            assert (presence[alpha, beta], salience[alpha, beta]) == (presence_accuracy(decisions, truth), salience_accuracy(decisions, truth))


@settings(max_examples=30)
@given(labelled_clips)
def test_first_maximum_of_anything(clips):
    slow = slow_grid(*clips)[..., 2]
    alpha, beta = np.unravel_index(slow.argmax(), slow.shape)
    found = search_grid(*clips)
    assert (found.alpha, found.beta, found.score) == (GRID[alpha], GRID[beta], slow.max())


@pytest.mark.parametrize("search", [search_grid, search_exact, lambda p, t: search_grid(p, t, choice="plateau")])
def test_decoding_with_what_was_found_reaches_what_was_promised(search):
    for probabilities, truth in cases(1500, 1, clips=40):
        found = search(probabilities, truth)
        decisions = decode(probabilities, found.alpha, found.beta)
        assert (found.presence, found.salience, found.score) == (
            presence_accuracy(decisions, truth),
            salience_accuracy(decisions, truth),
            score(decisions, truth),
        )


def test_exact_optimum_as_trying_every_threshold():
    for probabilities, truth in cases(400, 2, clips=7):
        assert search_exact(probabilities, truth).score == slow_optimum(probabilities, truth)


@settings(max_examples=200)
@given(labelled_clips)
def test_exact_optimum_of_anything(clips):
    found = search_exact(*clips)
    assert found.score == slow_optimum(*clips)
    assert found.score == score(decode(clips[0], found.alpha, found.beta), clips[1])


def test_exact_is_never_below_the_grid():
    for probabilities, truth in cases(1500, 3, clips=60):
        assert search_exact(probabilities, truth).score >= search_grid(probabilities, truth).score


def test_exact_finds_what_lies_between_grid_points():
    probabilities = np.array([[0.51, 0.49, 0, 0, 0, 0], [0.52, 0.48, 0, 0, 0, 0]])
    truth = np.array([[50, 50, 0, 0, 0, 0], [70, 30, 0, 0, 0, 0]])
    assert search_grid(probabilities, truth).salience == 0.5
    found = search_exact(probabilities, truth)
    assert (found.alpha, found.beta) == (0.48, pytest.approx(0.02))
    assert (found.presence, found.salience) == (1, 1)


def test_exact_beta_heeds_only_the_clips_that_are_blends_at_its_alpha():
    singles, excluded, kept = [[0.8, 0.2, 0, 0, 0, 0]] * 10, [[0.6, 0.1, 0, 0, 0, 0]] * 2, [[0.6, 0.4, 0, 0, 0, 0]]
    truth = [[100, 0, 0, 0, 0, 0]] * 10 + [[50, 50, 0, 0, 0, 0]] * 2 + [[70, 30, 0, 0, 0, 0]]
    found = search_exact(singles + excluded + kept, truth)
    assert (found.alpha, found.beta, found.presence, found.salience) == (0.4, -1, 11 / 13, 1 / 3)


def test_order_of_the_clips_does_not_count():
    rng = np.random.default_rng(5)
    truth = random_truth(rng, 200)
    probabilities = random_probabilities(rng, truth)
    order = rng.permutation(200)
    assert search_grid(probabilities, truth) == search_grid(probabilities[order], truth[order])
    assert search_exact(probabilities, truth) == search_exact(probabilities[order], truth[order])


def test_best_grid_score_is_the_score_of_the_first_maximum():
    assert best_grid_score(ANCHOR, ANCHOR_TRUTH) == search_grid(ANCHOR, ANCHOR_TRUTH).score


@pytest.mark.parametrize("seed", range(3))
def test_best_prefix_sums_as_summing_every_prefix(seed):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        steps, ranks = rng.choice([-1, 1], size=rng.integers(0, 20)), rng.integers(0, 20, size=20)
        ranks = ranks[: len(steps)] % max(len(steps), 1)
        slow = [max(sum(steps[i] for i in range(used) if ranks[i] < cut) for cut in range(21)) for used in range(len(steps) + 1)]
        assert best_prefix_sums(ranks, steps).tolist() == slow


def surface(*rectangles):
    scores = np.zeros((20, 20))
    for value, rows, columns in rectangles:
        scores[rows, columns] = value
    return scores


@pytest.mark.parametrize(
    ("scores", "centre"),
    [
        (surface((0.4, slice(3, 8), slice(10, 17))), (5, 13)),
        (surface((0.4, slice(2, 7), slice(2, 7)), (0.4, slice(10, 17), slice(10, 17))), (13, 13)),
        (surface((0.3, slice(5, 10), slice(5, 10)), (0.31, slice(15, 16), slice(15, 16))), (7, 7)),
        (surface((0.4, slice(0, 3), slice(0, 3))), (0, 0)),
        (np.zeros((20, 20)), (9, 9)),
    ],
    ids=["its centre", "the larger of two", "a lone peak is luck", "at the corner the border continues", "ties go to the smallest"],
)
def test_plateau(scores, centre):
    assert plateau_centre(scores) == centre


def test_plateau_is_a_choice_of_the_search():
    probabilities, truth = np.array([[0.55, 0.45, 0, 0, 0, 0]]), np.array([[50, 50, 0, 0, 0, 0]])
    found = search_grid(probabilities, truth, choice="plateau")
    assert found.score == 1
    assert (found.alpha, found.beta) == (GRID[3], GRID[11])


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match=r"^choice must be first or plateau, not 'last'$"):
        search_grid(ANCHOR, ANCHOR_TRUTH, choice="last")


@pytest.mark.parametrize("search", [search_grid, search_exact, grid_scores])
def test_shapes_that_do_not_fit_are_refused(search):
    sentence = r"^probabilities \(.*\) and truth \(.*\) must have the same shape, with at least one clip$"
    with pytest.raises(ValueError, match=sentence):
        search(ANCHOR, ANCHOR_TRUTH[:4])
    with pytest.raises(ValueError, match=sentence):
        search(ANCHOR[:0], ANCHOR_TRUTH[:0])


def test_the_papers_three_ways_from_the_folds_optima():
    for probabilities, truth in cases(100, 6, clips=60):
        folds = np.arange(len(truth)) % 3
        optima = [search_grid(probabilities[folds == fold], truth[folds == fold]) for fold in np.unique(folds)]
        mean, best = (search_thresholds(probabilities, truth, folds, strategy=strategy) for strategy in ("mean_of_folds", "best_fold"))
        assert (mean.alpha, mean.beta) == pytest.approx(tuple(np.mean([(one.alpha, one.beta) for one in optima], axis=0)))
        assert (best.alpha, best.beta) == max(((one.score, -index), one.alpha, one.beta) for index, one in enumerate(optima))[1:]
        assert search_thresholds(probabilities, truth, folds) == search_grid(probabilities, truth)
        for found in (mean, best):
            assert found.score == score(decode(probabilities, found.alpha, found.beta), truth)


def test_sequential_search_as_the_surface_of_the_second_implementation():
    for probabilities, truth in cases(10, 7, clips=8):
        surface_of = slow_grid(probabilities, truth)
        alpha = int(surface_of[:, 0, 0].argmax())
        beta = int(surface_of[alpha, :, 1].argmax())
        found = search_thresholds(probabilities, truth, np.zeros(len(truth)), strategy="sequential")
        assert (found.alpha, found.beta, found.score) == (GRID[alpha], GRID[beta], surface_of[alpha, beta, 2])


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match=r"^strategy must be one of .*, not 'last'$"):
        search_thresholds(ANCHOR, ANCHOR_TRUTH, np.zeros(5), strategy="last")
