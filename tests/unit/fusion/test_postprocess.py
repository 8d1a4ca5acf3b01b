import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.fusion.cases import degenerate, probability_row
from unit.fusion.slow import GRID, as_dict, slow_decode, slow_top2

from blemore.fusion.postprocess import decode

thresholds = st.one_of(st.floats(-1, 2), st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5, *GRID]))


@pytest.mark.parametrize(
    ("row", "alpha", "beta", "expected"),
    [
        ([0.4, 0.3, 0.2, 0.1, 0, 0], 0.1, 0.2, [50, 50, 0, 0, 0, 0]),
        ([0.4, 0.3, 0.2, 0.1, 0, 0], 0.1, 0.05, [70, 30, 0, 0, 0, 0]),
        ([0.3, 0.4, 0.2, 0.1, 0, 0], 0.1, 0.05, [30, 70, 0, 0, 0, 0]),
        ([0.3, 0.4, 0.2, 0.1, 0, 0], 0.35, 0.05, [0, 100, 0, 0, 0, 0]),
        ([0.3, 0.4, 0.2, 0.1, 0, 0], 0.9, 0.05, [0, 100, 0, 0, 0, 0]),
        ([0.75, 0.25, 0, 0, 0, 0], 0.25, 0.5, [50, 50, 0, 0, 0, 0]),
        ([0, 0, 0, 0, 0.4, 0.6], 0.05, 0.05, [0, 0, 0, 0, 0, 100]),
        ([0, 0, 0, 0, 0.6, 0.4], 0.05, 0.05, [0, 0, 0, 0, 100, 0]),
        ([0, 0, 0, 0, 0.5, 0.5], 0.05, 0.05, [0, 0, 0, 0, 100, 0]),
        ([0, 0, 0, 0, 0, 1], 0.05, 0.05, [0, 0, 0, 0, 0, 100]),
        ([0.4, 0.3, 0.3, 0, 0, 0], 0.05, 0.05, [70, 30, 0, 0, 0, 0]),
        ([0.2, 0.2, 0.2, 0.2, 0.2, 0], 0.05, 0.05, [50, 50, 0, 0, 0, 0]),
        ([1, 0, 0, 0, 0, 0], -1, 0.05, [100, 0, 0, 0, 0, 0]),
        ([0.5, 0, 0.5, 0, 0, 0], 0.05, -1, [30, 0, 70, 0, 0, 0]),
    ],
    ids=[
        "difference within beta",
        "first leads",
        "second leads",
        "second below alpha",
        "both below alpha",
        "both thresholds are inclusive",
        "neutral wins alone",
        "neutral loses",
        "a tie with neutral goes to the other",
        "neutral only",
        "ties at the cut go to the lower index",
        "all equal",
        "zero never survives",
        "equal ones that are uneven go to the later",
    ],
)
def test_rule_by_hand(row, alpha, beta, expected):
    assert decode([row], alpha, beta).tolist() == [expected]


def test_ten_thousand_random_vectors_as_the_second_implementation():
    rng = np.random.default_rng(0)
    for _ in range(100):
        rows = np.vstack([rng.dirichlet(np.full(6, rng.choice([0.1, 1, 5])), 50), degenerate(rng, 50)])
        alpha, beta = rng.choice([rng.random(), *GRID]), rng.choice([rng.random(), *GRID])
        assert [as_dict(row) for row in decode(rows, alpha, beta).tolist()] == [slow_decode(row, alpha, beta) for row in rows]


@settings(max_examples=500)
@given(probability_row.filter(any), thresholds, thresholds)
def test_any_row_as_the_second_implementation(row, alpha, beta):
    assert as_dict(decode([row], alpha, beta)[0].tolist()) == slow_decode(row, alpha, beta)


@given(st.lists(probability_row, max_size=20), thresholds, thresholds)
def test_every_decision_is_one_that_can_be_submitted(rows, alpha, beta):
    decisions = decode(np.array(rows).reshape(-1, 6), alpha, beta)
    assert decisions.dtype == np.int8
    assert all(sorted(row)[-2:] in ([0, 100], [50, 50], [30, 70]) and sum(row) == 100 for row in decisions.tolist())
    assert not decisions[(decisions[:, 5] > 0), :5].any()


@given(probability_row, thresholds, thresholds)
def test_masking_twice_changes_nothing(row, alpha, beta):
    assert decode([slow_top2(row)], alpha, beta).tolist() == decode([row], alpha, beta).tolist()


def test_float32_is_compared_as_float64():
    row = np.array([[0.7, 0.3, 0, 0, 0, 0]], dtype=np.float32)
    assert float(row[0, 1]) > 0.3
    assert decode(row, float(row[0, 1]), 1).tolist() == [[50, 50, 0, 0, 0, 0]]
    assert decode(row, np.nextafter(float(row[0, 1]), 1), 1).tolist() == [[100, 0, 0, 0, 0, 0]]
    assert decode(row, 0.3, 0.4).tolist() == slow_percent(row[0], 0.3, 0.4)


def slow_percent(row, alpha, beta):
    decided = slow_decode(row, alpha, beta)
    return [[decided.get(name, 0) for name in ("ang", "disg", "fea", "hap", "sad", "neu")]]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_named(broken):
    rows = np.full((4, 6), 1 / 6)
    rows[2, 3] = broken
    with pytest.raises(ValueError, match=r"^row 2 of the probabilities is not finite: \["):
        decode(rows, 0.1, 0.1)


@pytest.mark.parametrize("shape", [(6,), (2, 5), (1, 2, 6)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"^probabilities must be \(n, 6\), not \("):
        decode(np.zeros(shape), 0.1, 0.1)


def test_no_clip_gives_no_decision():
    assert decode(np.empty((0, 6)), 0.1, 0.1).shape == (0, 6)
