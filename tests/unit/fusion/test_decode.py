import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.fusion.decode import (
    DECODERS,
    TYPES,
    _decide,
    centre_actors,
    evaluate_decoders,
    expected_score_decode,
    fit_heads,
    salience_regression_decode,
    set_and_ratio_decode,
    set_distribution,
    type_distribution,
    type_index,
)
from blemore.fusion.metrics import is_blend
from blemore.fusion.protocols import OutOfFold, evaluate_all, measure
from blemore.fusion.resampling import draw_actors

from .cases import random_probabilities, random_truth

SETTINGS = {"weights": {"method": "uniform"}, "thresholds": {"choice": "first"}}


def slow_expected_score(row, blend_share):
    """Tries every decision against every possible truth, by the definition of the Score."""
    best, found = -1.0, None
    for decided in TYPES:
        gain = 0.0
        for probability, truth in zip(row, TYPES):
            right_set = set(np.flatnonzero(decided)) == set(np.flatnonzero(truth))
            gain += probability * 0.5 * right_set
            if np.count_nonzero(truth) == 2 and blend_share:
                gain += probability * 0.5 * bool((decided == truth).all()) / blend_share
        if gain > best + 1e-12:
            best, found = gain, decided
    return found


def data_of(seed=0, clips=240, actors=8, folds=4, skill=2.0):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, clips)
    actor = np.arange(clips) % actors
    probabilities = np.array([random_probabilities(rng, truth, skill) for _ in range(2)])
    return OutOfFold(probabilities, truth, actor % folds, np.char.add("A", actor.astype(str)))


def decoders(data):
    evaluations, _ = evaluate_all(data, SETTINGS, False)
    return evaluate_decoders(data, evaluations, SETTINGS["thresholds"], draw_actors(len(set(data.actor)), 100, 1))


def test_there_are_36_types_that_differ():
    assert TYPES.shape == (36, 6)
    assert len({tuple(row) for row in TYPES}) == 36
    assert (TYPES.sum(axis=1) == 100).all()
    assert not TYPES[is_blend(TYPES), 5].any()
    assert type_index(TYPES).tolist() == list(range(36))


def test_labels_of_no_type_are_named():
    with pytest.raises(ValueError, match=r"^row 1 of the labels is none of the 36 types: \[60, 40, 0, 0, 0, 0\]$"):
        type_index([[100, 0, 0, 0, 0, 0], [60, 40, 0, 0, 0, 0]])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.54, 1.0]), st.sampled_from([0.05, 0.3, 5.0]))
def test_expected_score_is_that_of_trying_every_decision(seed, blend_share, concentration):
    rows = np.random.default_rng(seed).dirichlet(np.full(36, concentration), size=2)
    assert expected_score_decode(rows, blend_share).tolist() == [slow_expected_score(row, blend_share).tolist() for row in rows]


def test_expected_score_by_hand():
    """Happy alone .4; anger and disgust .1 + .2 + .1 = .4, and the 70/30 of them gains .2 / .5 more."""
    row = np.zeros((1, 36))
    row[0, 3], row[0, 6], row[0, 7], row[0, 8], row[0, 5] = 0.4, 0.1, 0.2, 0.1, 0.2
    assert expected_score_decode(row, 0.5).tolist() == [[70, 30, 0, 0, 0, 0]]
    assert expected_score_decode(row, 0.0).tolist() == [[0, 0, 0, 100, 0, 0]], "without blends to gain, the first of equal ones"


@pytest.mark.parametrize("wrong", [np.ones((2, 35)), np.full((1, 36), np.nan), np.full((1, 36), -1.0)])
def test_no_distribution_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^the distribution must be \(n, 36\), finite and not negative, not \("):
        expected_score_decode(wrong, 0.5)
    with pytest.raises(ValueError, match=r"^blend_share must be between 0 and 1, not 1\.5$"):
        expected_score_decode(np.ones((1, 36)), 1.5)


def test_distributions_sum_to_one_and_the_product_keeps_the_sets():
    data = data_of()
    heads = fit_heads(data.probabilities[0], data.truth)
    types, sets = type_distribution(heads, data.probabilities[1]), set_distribution(heads, data.probabilities[1])
    assert types.sum(axis=1) == pytest.approx(1)
    assert types[:, 6:].reshape(-1, 10, 3).sum(axis=2) == pytest.approx(sets[:, 6:])
    assert heads.blend_share == is_blend(data.truth).mean()


def test_what_can_be_told_apart_is_learned():
    """Noise-free probabilities give the labels back, but the regression to the mean needs room."""
    truth = np.tile(TYPES, (20, 1))
    p = truth / 100 * 0.94 + 0.01
    heads = fit_heads(p, truth)
    assert np.array_equal(expected_score_decode(type_distribution(heads, p), heads.blend_share), truth)
    assert np.array_equal(set_and_ratio_decode(heads, p), truth)
    assert np.array_equal(salience_regression_decode(heads, p), truth)


@pytest.mark.parametrize("truth", [TYPES[:1], TYPES[:6], TYPES[6:7], TYPES[[0, 7]]])
def test_few_classes_or_none_are_no_error(truth):
    p = truth / 100 * 0.94 + 0.01
    heads = fit_heads(p, truth)
    by_score = expected_score_decode(type_distribution(heads, p), heads.blend_share)
    for decided in (by_score, set_and_ratio_decode(heads, p), salience_regression_decode(heads, p)):
        assert (decided.sum(axis=1) == 100).all()
        assert measure(decided, truth)["ACC_P"] == 1


def test_centring_takes_an_actors_preference_away():
    rng = np.random.default_rng(3)
    logs, actor = rng.normal(size=(40, 6)), np.repeat([0, 1], 20)
    plain, styled = (np.exp(values) for values in (logs, logs + np.array([[1, 0, -1, 0, 2, 0], [0, 3, 0, 0, 0, 0]])[actor]))
    plain, styled = (values / values.sum(axis=1, keepdims=True) for values in (plain, styled))
    ratio = np.log(centre_actors(styled, actor)) - np.log(centre_actors(plain, actor))
    assert np.ptp(ratio - ratio[:, :1], axis=0) == pytest.approx(0, abs=1e-9), "what is left is the same for all actors"
    assert centre_actors(plain, actor).sum(axis=1) == pytest.approx(1)


@pytest.fixture(scope="module")
def rows():
    return decoders(data_of())


def test_every_decoder_is_scored_under_every_protocol(rows):
    assert [(row["decoder"], row["actor_centred"], row["protocol"]) for row in rows] == [
        (decoder, centred, protocol) for protocol in ("paper", "pooled", "nested") for centred in (False, True) for decoder in DECODERS
    ]
    assert [row["uses_scored_fold"] for row in rows] == [True] * 16 + [False] * 8
    assert all(row["intervals"]["Score"][0] <= row["Score"] <= row["intervals"]["Score"][1] for row in rows)
    assert [row["less_thresholds"]["difference"] for row in rows if row["decoder"] == "thresholds" and not row["actor_centred"]] == [0, 0, 0]


def test_plain_thresholds_are_those_of_the_protocol(rows):
    evaluations, _ = evaluate_all(data_of(), SETTINGS, False)
    for row in rows:
        if row["decoder"] == "thresholds" and not row["actor_centred"]:
            assert row["Score"] == evaluations[row["protocol"]].block["pooled"]["Score"]


def test_labels_of_the_scored_fold_reach_no_nested_decision():
    """Other labels in fold 0 change its truth alone: what is decided there stays, seen through the figures of one fold."""
    data = data_of()
    other = data._replace(truth=np.where((data.fold == 0)[:, np.newaxis], np.roll(data.truth, 4, axis=0), data.truth))
    first, second = (_decide(one, "nested", evaluate_all(one, SETTINGS, False)[0]["nested"], SETTINGS["thresholds"]) for one in (data, other))
    assert not np.array_equal(data.truth, other.truth)
    for key, decided in first.items():
        assert np.array_equal(decided[data.fold == 0], second[key][data.fold == 0]), key


def test_the_same_data_give_the_same_rows(rows):
    assert decoders(data_of()) == rows
