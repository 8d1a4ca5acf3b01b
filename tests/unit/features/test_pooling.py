import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blemore.features.pooling import segment_statistics, temporal_statistics

FRAMES = arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(-1e3, 1e3, width=32))


def percentile_by_hand(values, percent):
    """Linear interpolation between the two order statistics around rank (n - 1) * percent / 100."""
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


def statistics_by_hand(frames):
    columns = [[float(value) for value in column] for column in frames.T]
    means = [sum(column) / len(column) for column in columns]
    deviations = [(sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5 for column, mean in zip(columns, means)]
    return means + deviations + [percentile_by_hand(column, percent) for percent in (10, 25, 50, 75, 90) for column in columns]


def test_order_of_the_seven_statistics():
    ramp = np.arange(101.0)[:, np.newaxis]
    assert temporal_statistics(ramp) == pytest.approx([50, np.sqrt(850), 10, 25, 50, 75, 90])


def test_statistics_of_two_features_lie_side_by_side():
    assert temporal_statistics(np.array([[0.0, 10.0], [2.0, 30.0]]))[:4] == pytest.approx([1, 20, 1, 10])


@given(FRAMES)
def test_statistics_equal_a_slow_calculation(frames):
    assert temporal_statistics(frames) == pytest.approx(statistics_by_hand(frames), rel=1e-4, abs=1e-3)


def test_no_frame_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"^expected \(t, d\) with t >= 1, got shape \(0, 4\)$"):
        temporal_statistics(np.empty((0, 4)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match=r"^NaN or infinity among the frames of shape \(2, 1\)$"):
        temporal_statistics(np.array([[0.0], [value]]))


def test_a_thousand_dimensions_give_the_papers_7168():
    assert temporal_statistics(np.zeros((3, 1024))).shape == (7168,)


@given(FRAMES)
def test_one_segment_is_the_plain_statistics(frames):
    assert np.array_equal(segment_statistics(frames, 1), temporal_statistics(frames))


def test_three_segments_are_averaged_and_keep_the_dimension():
    frames = np.array([[0.0], [2.0], [10.0], [14.0], [100.0], [102.0]])
    assert segment_statistics(frames, 3)[:2] == pytest.approx([(1 + 12 + 101) / 3, (1 + 2 + 1) / 3])
    assert segment_statistics(frames, 3).shape == (7,)


def test_more_segments_than_frames_is_one_frame_a_segment():
    assert segment_statistics(np.array([[1.0], [3.0]]), 5)[:2] == pytest.approx([2, 0])
