"""How far six probabilities can be believed, against soft labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10


def calibration(probabilities: NDArray[np.floating], truth: NDArray[np.int8]) -> dict[str, Any]:
    """Reliability, expected calibration error and Brier score, over the rows without NaN.

    Each of the 6 n probabilities is compared with the share of its emotion in the label; where the label is a single emotion
    that is the usual classwise reliability (Nixon et al. 2019, CVPR workshops). Brier (1950): the mean over clips of the squared
    distance between the six probabilities and the label.

    Args:
        probabilities: (n, 6); NaN rows where an encoder has nothing.
        truth: percent (n, 6).

    Returns:
        `bins` of equal width, each with the mean `probability`, the mean `share` (None without any) and the `count`; `ece`,
        the distance of the two means weighted by the count; `brier`. The last two are None without any row.
    """
    known = np.isfinite(probabilities).all(axis=1)
    said, share = probabilities[known].astype(np.float64), truth[known] / 100
    if not len(said):
        return {"bins": [], "ece": None, "brier": None}
    of_bin = np.minimum((said * BINS).astype(int), BINS - 1).ravel()
    count, sum_said, sum_share = (np.bincount(of_bin, values, BINS) for values in (np.ones(said.size), said.ravel(), share.ravel()))
    bins = [
        {"probability": p / n if n else None, "share": s / n if n else None, "count": int(n)}
        for p, s, n in zip(sum_said.tolist(), sum_share.tolist(), count.tolist())
    ]
    return {"bins": bins, "ece": float(np.abs(sum_said - sum_share).sum() / said.size), "brier": float(np.square(said - share).sum(axis=1).mean())}
