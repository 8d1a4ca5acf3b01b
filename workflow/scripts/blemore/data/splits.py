"""Who trains, who stops the training, who is scored: disjoint in actors."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.stores import content_digest

TRAIN, INNER, SCORED, TEST = "train", "inner", "scored", "test"


def split_clips(sheet: pd.DataFrame, fold: int, early_stopping: str) -> NDArray[np.str_]:
    """The part of each clip of the checked sheet for the model of one fold.

    Args:
        early_stopping: `inner` holds out the actors of the next fold to stop the training; `paper` stops on the
            scored fold itself, as arXiv:2603.23650 does, and holds out nobody.

    Returns:
        One of train, inner, scored, test for each row. With two folds, half of the other fold's actors are held
        out; where it has only one actor, nobody is, and training runs to its last epoch.
    """
    folds = sorted(sheet.loc[sheet["split"] == "train", "fold"].dropna().unique())
    of_fold = (sheet["fold"] == fold).fillna(False).to_numpy(bool)
    part = np.full(len(sheet), TRAIN, dtype="<U6")
    part[(sheet["split"] == "test").to_numpy()] = TEST
    if early_stopping == "inner":
        part[held_out(sheet, folds, fold)] = INNER
    part[of_fold & (sheet["split"] == "train").to_numpy()] = SCORED
    return part


def held_out(sheet: pd.DataFrame, folds: Sequence[int], fold: int) -> NDArray[np.bool_]:
    """Clips whose actors stop the training of one fold's model."""
    training = (sheet["split"] == "train").to_numpy()
    following = folds[(list(folds).index(fold) + 1) % len(folds)]
    chosen = training & (sheet["fold"] == following).fillna(False).to_numpy(bool)
    actors = sorted(set(sheet.loc[chosen, "video_id"]))
    if len(folds) == 2:
        actors = actors[: len(actors) // 2]
    return chosen & sheet["video_id"].isin(actors).to_numpy()


def labels_digest(clip: list[str], label: NDArray[np.float32], part: Iterable[str]) -> str:
    """SHA-256 over clips, labels and parts: what was learned besides the inputs."""
    return content_digest({"clip": clip, "label": label, "part": [str(one) for one in part]})
