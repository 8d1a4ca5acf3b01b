"""From six probabilities to one or two emotions with their salience: the official rule."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blemore.data.labels import EMOTIONS

NEUTRAL = EMOTIONS.index("neu")


class TwoLargest(NamedTuple):
    """The two most probable emotions; of equal probabilities the lower index comes first."""

    first: NDArray[np.int8]
    second: NDArray[np.int8]
    p_first: NDArray[np.float64]
    p_second: NDArray[np.float64]


def two_largest(probabilities: NDArray[np.float64]) -> TwoLargest:
    """The two largest of the last axis.

    Args:
        probabilities: (..., 6) float64, finite.
    """
    rows = probabilities.reshape(-1, len(EMOTIONS))
    row, first, rest = np.arange(len(rows)), rows.argmax(axis=1), rows.copy()
    rest[row, first] = -np.inf
    second = rest.argmax(axis=1)
    found = first.astype(np.int8), second.astype(np.int8), rows[row, first], rest[row, second]
    return TwoLargest(*(part.reshape(probabilities.shape[:-1]) for part in found))


def as_probabilities(values: ArrayLike) -> NDArray[np.float64]:
    """(n, 6) in float64: compared in float32, values that lie exactly on a threshold would fall to the other side.

    Raises:
        ValueError: for another shape, or naming the first row with a number that is not finite.
    """
    probabilities = np.asarray(values, dtype=np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(EMOTIONS):
        raise ValueError(f"probabilities must be (n, {len(EMOTIONS)}), not {probabilities.shape}")
    finite = np.isfinite(probabilities)
    if not finite.all():
        broken = finite.all(axis=1).argmin()
        raise ValueError(f"row {broken} of the probabilities is not finite: {probabilities[broken].tolist()}")
    return probabilities


def may_blend(largest: TwoLargest) -> NDArray[np.bool_]:
    """Whether some presence threshold makes a blend of the two: both above zero, none of them neutral."""
    return (largest.p_second > 0) & (largest.first != NEUTRAL) & (largest.second != NEUTRAL)


def dominant(largest: TwoLargest) -> NDArray[np.int8]:
    """The emotion with 70 in an uneven blend. The rule gives equal ones, uneven for beta < 0 only, to the later emotion."""
    return np.where(largest.p_first > largest.p_second, largest.first, largest.second)


def decode(probabilities: ArrayLike, alpha: float, beta: float) -> NDArray[np.int8]:
    """Decisions in percent, by the official post-processing; the masking to the two largest is part of it.

    A clip is a blend of its two most probable emotions if both reach alpha, both are above zero and none is neutral, else
    it is the most probable one alone. A blend is 50/50 where the two differ by at most beta, else 70/30.

    Args:
        probabilities: (n, 6), finite.
        alpha: presence threshold; a probability equal to it is present.
        beta: salience threshold; a difference equal to it is even.

    Returns:
        (n, 6); rows sum to 100.

    Raises:
        ValueError: for another shape, or naming the first row with a number that is not finite.
    """
    largest = two_largest(as_probabilities(probabilities))
    blend = may_blend(largest) & (largest.p_second >= alpha)
    even = largest.p_first - largest.p_second <= beta
    leading = np.where(blend & ~even, dominant(largest), largest.first)
    following = np.where(leading == largest.first, largest.second, largest.first)
    percent = np.zeros((len(leading), len(EMOTIONS)), dtype=np.int8)
    rows = np.arange(len(leading))
    percent[rows, following] = np.where(blend, np.where(even, 50, 30), 0)
    percent[rows, leading] = np.where(blend, np.where(even, 50, 70), 100)
    return percent
