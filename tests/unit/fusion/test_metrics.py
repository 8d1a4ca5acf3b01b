import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fusion.cases import truth_row
from unit.fusion.slow import as_dict, slow_scores

from blemore.fusion.metrics import presence_accuracy, salience_accuracy, score

BLEND = [70, 30, 0, 0, 0, 0]
SINGLE = [100, 0, 0, 0, 0, 0]
NEUTRAL = [0, 0, 0, 0, 0, 100]


@pytest.mark.parametrize(
    ("predicted", "truth", "presence", "salience"),
    [
        (BLEND, BLEND, 1, 1),
        ([60, 40, 0, 0, 0, 0], BLEND, 1, 0),
        ([30, 70, 0, 0, 0, 0], BLEND, 1, 0),
        ([50, 50, 0, 0, 0, 0], BLEND, 1, 0),
        (SINGLE, BLEND, 0, 0),
        ([70, 0, 30, 0, 0, 0], BLEND, 0, 0),
        (BLEND, SINGLE, 0, 0),
        (SINGLE, SINGLE, 1, 0),
        (NEUTRAL, NEUTRAL, 1, 0),
        (NEUTRAL, SINGLE, 0, 0),
        (SINGLE, NEUTRAL, 0, 0),
        ([69.6, 30.4, 0, 0, 0, 0], BLEND, 1, 1),
        ([69.4, 30.6, 0, 0, 0, 0], BLEND, 1, 0),
        ([70.5, 29.5, 0, 0, 0, 0], BLEND, 1, 1),
        ([70, 29.7, 0.3, 0, 0, 0], BLEND, 0, 0),
        ([40, 30, 30, 0, 0, 0], BLEND, 0, 0),
    ],
    ids=[
        "exact",
        "60/40 is wrong",
        "swapped",
        "even for uneven",
        "single on a blend",
        "one wrong emotion",
        "blend on a single",
        "no blend to be salient in",
        "neutral is a class",
        "neutral for another",
        "another for neutral",
        "rounded up",
        "rounded away",
        "halves round to even",
        "a third emotion, however small",
        "three emotions",
    ],
)
def test_one_clip_by_hand(predicted, truth, presence, salience):
    assert (presence_accuracy([predicted], [truth]), salience_accuracy([predicted], [truth])) == (presence, salience)
    assert score([predicted], [truth]) == (presence + salience) / 2


def test_denominators_are_all_clips_and_all_blends():
    truth = [BLEND, BLEND, SINGLE, NEUTRAL, BLEND]
    predicted = [BLEND, [50, 50, 0, 0, 0, 0], SINGLE, SINGLE, SINGLE]
    assert presence_accuracy(predicted, truth) == 3 / 5
    assert salience_accuracy(predicted, truth) == 1 / 3
    assert score(predicted, truth) == pytest.approx((3 / 5 + 1 / 3) / 2)


@given(st.lists(st.tuples(truth_row, truth_row), min_size=1, max_size=30))
def test_as_the_second_implementation(rows):
    predicted, truth = (np.array(side, dtype=np.int8) for side in zip(*rows))
    expected = slow_scores([as_dict(row) for row in predicted.tolist()], [as_dict(row) for row in truth.tolist()])
    assert (presence_accuracy(predicted, truth), salience_accuracy(predicted, truth), score(predicted, truth)) == expected


@pytest.mark.parametrize(("predicted", "truth"), [((2, 6), (3, 6)), ((2, 5), (2, 5)), ((0, 6), (0, 6)), ((6,), (6,))])
def test_shapes_that_do_not_fit_are_refused(predicted, truth):
    with pytest.raises(ValueError, match=r"^predicted \(.*\) and truth \(.*\) must both be \(n, 6\) with n > 0$"):
        presence_accuracy(np.zeros(predicted), np.zeros(truth))
