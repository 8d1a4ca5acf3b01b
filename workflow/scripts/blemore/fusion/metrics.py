"""The challenge's two accuracies and their mean. All arrays are percent (n, 6), see `blemore.data.labels`."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blemore.data.labels import EMOTIONS


def presence_accuracy(predicted: ArrayLike, truth: ArrayLike) -> float:
    """ACC_P: share of clips whose set of emotions is exactly the true one; salience is ignored."""
    predicted, truth = _checked(predicted, truth)
    return float(((predicted > 0) == (truth > 0)).all(axis=1).mean())


def salience_accuracy(predicted: ArrayLike, truth: ArrayLike) -> float:
    """ACC_S: share of true blends predicted as two emotions whose rounded percents are the true ones; 0 without a blend."""
    predicted, truth = _checked(predicted, truth)
    blends = is_blend(truth)
    if not blends.any():
        return 0.0
    right = is_blend(predicted) & (np.round(predicted) == truth).all(axis=1)
    return float(right[blends].mean())


def score(predicted: ArrayLike, truth: ArrayLike) -> float:
    """The mean of ACC_P and ACC_S."""
    return 0.5 * presence_accuracy(predicted, truth) + 0.5 * salience_accuracy(predicted, truth)


def is_blend(percent: NDArray) -> NDArray[np.bool_]:
    """Which rows have two emotions."""
    return np.count_nonzero(percent > 0, axis=1) == 2


def _checked(predicted: ArrayLike, truth: ArrayLike) -> tuple[NDArray, NDArray]:
    predicted, truth = np.asarray(predicted), np.asarray(truth)
    if predicted.shape != truth.shape or truth.ndim != 2 or truth.shape[1] != len(EMOTIONS) or not len(truth):
        raise ValueError(f"predicted {predicted.shape} and truth {truth.shape} must both be (n, {len(EMOTIONS)}) with n > 0")
    return predicted, truth
