"""The predictions of an ensemble's members, aligned with the sheet by clip id, and tables of what follows from them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.job import BadInput
from blemore.stores import Predictions, Probabilities, read_predictions

Read = Callable[[str | Path], Predictions]  # cached where several tables are made of the same stores


def scored_predictions(stores: Mapping[int, str | Path], sheet: pd.DataFrame, read: Read = read_predictions) -> NDArray[np.float64]:
    """Each training clip as the model of its own fold predicts it.

    Args:
        stores: fold -> store of one encoder and head.
        sheet: the rows of the training clips, columns `filename` and `fold`.

    Returns:
        (n, 6); NaN where the encoder has nothing.

    Raises:
        BadInput: if a store does not score exactly the clips of its fold.
    """
    predictions = np.full((len(sheet), len(EMOTIONS)), np.nan)
    for fold, store in stores.items():
        clips = (sheet["fold"] == fold).to_numpy(bool)
        predictions[clips] = rows_of(store, "scored", sheet.loc[clips, "filename"].tolist(), read)
    return predictions


def tuned_predictions(stores: Mapping[int, str | Path], sheet: pd.DataFrame, read: Read = read_predictions) -> NDArray[np.float64] | None:
    """As `scored_predictions`, by the epochs that are best on the scored clips, so for nothing honest; None where no epoch was chosen so."""
    predictions = np.full((len(sheet), len(EMOTIONS)), np.nan)
    for fold, store in stores.items():
        rows = read(store).tuned
        if rows is None:
            return None
        clips = (sheet["fold"] == fold).to_numpy(bool)
        predictions[clips] = _of_split(rows, store, "scored", sheet.loc[clips, "filename"].tolist())
    return predictions


def mean_predictions(stores: Sequence[str | Path], clips: Sequence[str], read: Read = read_predictions) -> NDArray[np.float64]:
    """The mean prediction of the test clips over the stores of one encoder and head; (n, 6), NaN where it has nothing."""
    return np.mean([rows_of(store, "test", clips, read) for store in stores], axis=0)


def rows_of(store: str | Path, split: str, clips: Sequence[str], read: Read = read_predictions) -> NDArray[np.float64]:
    """The rows of one split, (n, 6) in the order of `clips`.

    Raises:
        BadInput: if the split does not hold exactly these clips.
    """
    return _of_split(read(store).honest, store, split, clips)


def _of_split(rows: Probabilities, store: str | Path, split: str, clips: Sequence[str]) -> NDArray[np.float64]:
    position = {clip: row for row, (clip, part) in enumerate(zip(rows.clip, rows.split, strict=True)) if part == split}
    different = sorted(set(clips) ^ set(position))
    if different:
        where = "the sheet" if different[0] in set(clips) else "the store"
        raise BadInput(
            f"{store} and the sheet differ in {len(different)} {split} clips, {different[0]} being in {where} alone; delete the store and run again."
        )
    return rows.probability[[position[clip] for clip in clips]].astype(np.float64)


def columns(name: str, values: NDArray) -> dict[str, NDArray]:
    """(n, 6) as six columns, `name_ang` to `name_neu`."""
    return {f"{name}_{emotion}": values[:, index] for index, emotion in enumerate(EMOTIONS)}


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Writes a CSV; it is whole or absent."""
    partial = Path(path).with_name(f".{Path(path).name}.partial")
    table.to_csv(partial, index=False, lineterminator="\n")
    os.replace(partial, path)
