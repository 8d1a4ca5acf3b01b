"""Folds for data sets whose sheet has none."""

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def made_folds(sheet: pd.DataFrame, count: int, seed: int) -> NDArray[np.int64]:
    """Actor-disjoint folds of labelled clips, balanced in clips and in label mix; the order of the rows does not count.

    Args:
        sheet: columns `filename`, `video_id`, `emotion_1`, `emotion_2`.
        count: number of folds, at most the number of actors.

    Returns:
        The fold of each row, 0 to count - 1, shape (n,).
    """
    from sklearn.model_selection import StratifiedGroupKFold

    order = np.lexsort((sheet["filename"], sheet["video_id"]))
    ordered = sheet.iloc[order]
    kind = ordered["emotion_1"].str.cat(ordered["emotion_2"], sep="+")
    # A kind with fewer clips than folds cannot be spread, and scikit-learn refuses a sheet of such kinds alone.
    kind = kind.where(kind.map(kind.value_counts()) >= count, "rare")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = np.empty(len(sheet), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, scored) in enumerate(splitter.split(ordered, kind, ordered["video_id"])):
            folds[order[scored]] = fold
    return folds
