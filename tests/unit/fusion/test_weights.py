import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fusion.cases import random_probabilities, random_truth
from unit.fusion.slow import slow_grid

from blemore.fusion.thresholds import search_grid
from blemore.fusion.weights import fuse, search_weights

ONE, TWO, THREE = [0.6, 0.4, 0, 0, 0, 0], [0.2, 0.8, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]
NOTHING = [np.nan] * 6


@pytest.fixture(scope="module")
def ensemble():
    """Five encoders of falling skill on 300 clips of ten actors in five folds; the last knows nothing."""
    rng = np.random.default_rng(3)
    truth = random_truth(rng, 300)
    actor = rng.integers(10, size=300)
    probabilities = np.array([random_probabilities(rng, truth, skill) for skill in (1.2, 1.0, 0.8, 0.4, 0.0)])
    return probabilities, truth, actor % 5, [f"A{number}" for number in actor]


@pytest.mark.parametrize(
    ("rows", "weights", "expected"),
    [
        ([ONE, TWO], [0.5, 0.5], [0.4, 0.6, 0, 0, 0, 0]),
        ([ONE, TWO], [0.25, 0.75], [0.3, 0.7, 0, 0, 0, 0]),
        ([ONE, TWO], [1, 0], ONE),
        ([ONE, NOTHING, TWO], [0.25, 0.5, 0.25], [0.4, 0.6, 0, 0, 0, 0]),
        ([ONE, NOTHING], [0.1, 0.9], ONE),
        ([NOTHING, ONE, TWO], [1, 0, 0], [0.4, 0.6, 0, 0, 0, 0]),
        ([NOTHING, NOTHING], [0.5, 0.5], [1 / 6] * 6),
    ],
    ids=["mean", "weighted", "one alone", "renormalised", "the only one left", "left ones without weight count the same", "nothing at all"],
)
def test_fusion_of_one_clip_by_hand(rows, weights, expected):
    assert fuse(np.array(rows)[:, np.newaxis], weights)[0] == pytest.approx(expected)


def test_a_single_encoder_is_passed_on_to_the_last_bit():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), 100).astype(np.float32)
    assert np.array_equal(fuse(probabilities[np.newaxis], [1.0]), probabilities.astype(np.float64))


@given(st.integers(1, 5), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_fused_rows_sum_to_one_whatever_is_missing(encoders, clips, seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(6), (encoders, clips))
    probabilities[rng.random((encoders, clips)) < 0.4] = np.nan
    fused = fuse(probabilities, rng.dirichlet(np.ones(encoders)) * rng.integers(0, 2, encoders))
    assert fused.shape == (clips, 6)
    assert fused.sum(axis=1) == pytest.approx(np.ones(clips))


@pytest.mark.parametrize("weights", [[1.0], [0.5, -0.5], [0.5, np.nan]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match=r"^2 encoders need as many weights that are not negative, not \["):
        fuse(np.full((2, 1, 6), 1 / 6), weights)


def test_uniform(ensemble):
    assert search_weights(*ensemble[:3], "uniform") == pytest.approx([0.2] * 5)


def test_greedy_weights_are_shares_and_prefer_skill(ensemble):
    *evidence, actors = ensemble
    weights = search_weights(*evidence, "greedy", actors=actors)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= 0).all()
    assert weights[:3].sum() > 0.75
    assert weights[4] < 0.1


def test_greedy_is_better_than_uniform_and_than_every_encoder(ensemble):
    probabilities, truth, folds, actors = ensemble
    fused = search_grid(fuse(probabilities, search_weights(probabilities, truth, folds, "greedy", actors=actors)), truth).score
    assert fused > search_grid(probabilities.mean(axis=0), truth).score
    assert fused > max(search_grid(encoder, truth).score for encoder in probabilities)


def test_same_seed_same_weights_other_seed_others(ensemble):
    *evidence, actors = ensemble
    first, again, other = (search_weights(*evidence, "greedy", actors=actors, bags=3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_order_of_the_encoders_does_not_count(ensemble):
    probabilities, *evidence, actors = ensemble
    weights = search_weights(probabilities, *evidence, "greedy", actors=actors, picks=20, bags=5)
    order = [3, 0, 4, 2, 1]
    assert search_weights(probabilities[order], *evidence, "greedy", actors=actors, picks=20, bags=5) == pytest.approx(weights[order])


def test_order_of_the_clips_and_names_of_folds_do_not_count(ensemble):
    probabilities, truth, folds, actors = ensemble
    order = np.random.default_rng(0).permutation(len(truth))
    weights = search_weights(probabilities, truth, folds, "greedy", actors=actors, bags=4)
    names = np.array(["five", "two", "three", "one", "zero"])[folds[order]]
    shuffled = search_weights(probabilities[:, order], truth[order], names, "greedy", actors=np.array(actors)[order].tolist(), bags=4)
    assert np.array_equal(shuffled, weights)


def slow_greedy(probabilities, truth, folds, picks):
    """Greedy selection without bags, every candidate decoded clip by clip on the whole grid."""
    counts, reached = np.zeros(len(probabilities)), []
    for _ in range(picks):
        scores = []
        for candidate in range(len(probabilities)):
            tried = counts + (np.arange(len(counts)) == candidate)
            fused = np.average(probabilities, axis=0, weights=tried)
            surfaces = [slow_grid(fused[folds == fold], truth[folds == fold]) for fold in np.unique(folds)]
            scores.append(round(np.mean([surface[..., 2] for surface in surfaces], axis=0).max(), 9))
        counts[int(np.argmax(scores))] += 1
        reached.append((max(scores), counts.copy()))
    best = max(score for score, _ in reached)
    found = next(counts for score, counts in reached if score == best)
    return found / found.sum()


def without_bags(probabilities, truth, folds, picks):
    """With a single actor every draw is the same."""
    return search_weights(probabilities, truth, folds, "greedy", actors=["A1"] * len(truth), picks=picks, bags=1)


def test_greedy_as_the_second_implementation():
    rng = np.random.default_rng(2)
    truth = random_truth(rng, 10)
    truth[[0, 9]] = [[70, 30, 0, 0, 0, 0], [0, 0, 50, 0, 50, 0]]
    folds = np.array([0] * 6 + [1] * 4)
    for _ in range(3):
        probabilities = np.array([random_probabilities(rng, truth, skill) for skill in (1.0, 0.9, 0.5)])
        assert without_bags(probabilities, truth, folds, picks=4) == pytest.approx(slow_greedy(probabilities, truth, folds, picks=4))


def singles(*emotions):
    return np.eye(6)[list(emotions)]


def test_each_fold_counts_the_same():
    truth, folds = singles(0, 1, 2, 3) * 100, np.array([0, 0, 0, 1])
    right_in_the_large_fold, right_in_the_small_fold = singles(0, 1, 2, 5), singles(0, 5, 5, 3)
    weights = without_bags(np.array([right_in_the_large_fold, right_in_the_small_fold]), truth, folds, picks=1)
    assert weights.tolist() == [0, 1]


def test_presence_and_salience_count_the_same():
    truth = np.vstack([singles(0, 1, 2, 3, 4) * 100, [[70, 30, 0, 0, 0, 0]] * 2])
    five_singles = singles(0, 1, 2, 3, 4, 5, 5)  # (5/7 + 0) / 2 = .357
    one_blend = np.vstack([singles(5, 5, 5, 5, 5), [[0.7, 0.3, 0, 0, 0, 0]], singles(5)])  # (1/7 + 1/2) / 2 = .321
    assert without_bags(np.array([one_blend, five_singles]), truth, np.zeros(7), picks=1).tolist() == [0, 1]


def test_what_does_not_help_is_not_added():
    truth = singles(0, 1, 2, 3) * 100
    assert without_bags(np.array([np.full((4, 6), 1 / 6), singles(0, 1, 2, 3)]), truth, np.zeros(4), picks=5).tolist() == [0, 1]


def test_an_encoder_that_has_nothing_for_some_clips_is_no_obstacle(ensemble):
    probabilities, truth, folds, actors = ensemble
    holed = probabilities.copy()
    holed[0, ::2] = np.nan
    holed[:, 7] = np.nan
    weights = search_weights(holed, truth, folds, "greedy", actors=actors)
    assert weights.sum() == pytest.approx(1)
    assert search_grid(fuse(holed, weights), truth).score > search_grid(fuse(holed, np.full(5, 0.2)), truth).score


@pytest.mark.parametrize("method", ["greedy", "uniform"])
def test_a_single_encoder_has_all_the_weight(method, ensemble):
    probabilities, truth, folds, _ = ensemble
    assert search_weights(probabilities[:1], truth, folds, method).tolist() == [1]


@pytest.mark.parametrize("blends", [0.0, 1.0])
def test_no_blend_and_only_blends(blends):
    rng = np.random.default_rng(0)
    truth = random_truth(rng, 30, blends)
    probabilities = np.array([random_probabilities(rng, truth, skill) for skill in (0, 2)])
    assert search_weights(probabilities, truth, np.zeros(30), "greedy", bags=3)[1] > 0.5


def test_what_does_not_fit_is_refused(ensemble):
    probabilities, truth, folds, actors = ensemble
    method = r"^method must be greedy, .* or paper_12, not 'best', with picks, bags and evaluations of 1 or more, not \d+, 0 and \d+$"
    with pytest.raises(ValueError, match=method):
        search_weights(probabilities, truth, folds, "best", bags=0)
    clips = r"^probabilities \(.*\), truth \(.*\), folds \(.*\) and actors must be of the same clips, at least one$"
    with pytest.raises(ValueError, match=clips):
        search_weights(probabilities, truth[1:], folds, "greedy")
    with pytest.raises(ValueError, match=clips):
        search_weights(probabilities, truth, folds, "greedy", actors=actors[1:])
    with pytest.raises(ValueError, match="method must be greedy"):
        search_weights(probabilities, truth, folds, "greedy", bags=0)
    with pytest.raises(ValueError, match=r"^probabilities must be \(m, n, 6\) with m > 0, not \("):
        search_weights(probabilities[0], truth, folds, "greedy")
