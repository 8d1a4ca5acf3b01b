"""What a head learns from: the features of the usable clips, standardised, beside their soft labels."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from blemore.data.labels import teaching_labels
from blemore.data.splits import INNER, SCORED, TRAIN
from blemore.job import BadInput
from blemore.stores import USABLE, Features


class Examples(NamedTuple):
    """Standardised features and labels of the clips that teach and of those that stop the training."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.float32]  # (n, 6), rows sum to 1
    stop_x: NDArray[np.float32]
    stop_y: NDArray[np.float32]
    # Clips that must not stop the training, where an epoch is to be chosen on them as well.
    scored_x: NDArray[np.float32] | None = None
    scored_y: NDArray[np.float32] | None = None


class Dataset(NamedTuple):
    """All clips that a head sees, aligned by id, rows in the order of the sheet."""

    clip: list[str]
    x: NDArray[np.float32]  # (n, d), NaN where a clip has no features
    y: NDArray[np.float32]  # (n, 6), NaN where a clip has no label
    usable: NDArray[np.bool_]
    part: NDArray[np.str_]


def align(sheet: pd.DataFrame, features: Features, part: NDArray[np.str_]) -> Dataset:
    """Features in the order of the sheet; clips of the sheet that the store lacks count as without features."""
    row = {clip: index for index, clip in enumerate(features.clip)}
    clips = sheet["filename"].tolist()
    x = np.full((len(clips), features.embedding.shape[1]), np.nan, np.float32)
    known = [index for index, clip in enumerate(clips) if clip in row]
    source = [row[clips[index]] for index in known]
    x[known] = features.embedding[source]
    usable = np.zeros(len(clips), bool)
    usable[known] = np.isin(features.status[source], USABLE)
    return Dataset(clips, x, teaching_labels(sheet), usable, part)


def examples(data: Dataset, early_stopping: str, with_scored: bool = False) -> tuple[Examples, StandardScaler]:
    """The training and stopping clips, standardised by the mean and variance of the training clips.

    Args:
        with_scored: also the scored clips, where others stop the training.

    Raises:
        BadInput: if fewer than two clips could teach.
    """
    train = data.usable & (data.part == TRAIN)
    stop = data.usable & (data.part == (SCORED if early_stopping == "paper" else INNER))
    if train.sum() < 2:
        raise BadInput(f"only {train.sum()} clips with features are left to train on; more folds, actors or readable clips are needed.")
    scaler = StandardScaler().fit(data.x[train].astype(np.float64))
    found = Examples(scaled(scaler, data.x[train]), data.y[train], scaled(scaler, data.x[stop]), data.y[stop])
    scored = data.usable & (data.part == SCORED)
    if with_scored and early_stopping == "inner" and scored.any():
        found = found._replace(scored_x=scaled(scaler, data.x[scored]), scored_y=data.y[scored])
    return found, scaler


def scaled(scaler: StandardScaler, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardised features as float32; no row gives no row."""
    return scaler.transform(x.astype(np.float64)).astype(np.float32) if len(x) else x
