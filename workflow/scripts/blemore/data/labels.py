"""The six emotions, and the labels of a sheet as numbers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.emotions import EMOTIONS, LABEL_COLUMNS, is_missing, label_problem
from blemore.job import BadInput


def has_labels(sheet: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> NDArray[np.bool_]:
    """Which rows name a first emotion, shape (n,)."""
    return np.array([not is_missing(row[1]) for _, row in _rows(sheet)], bool)


def percentages(sheet: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> NDArray[np.int8]:
    """Labels in percent, shape (n, 6) in the order of EMOTIONS; rows sum to 100.

    Args:
        sheet: columns `emotion_1`, `emotion_2` and their saliences, as a table, as columns or as rows; `mix` is compared where it is given.

    Raises:
        BadInput: if a row has no label or one that the challenge does not know, naming the row.
    """
    rows = list(_rows(sheet))
    percent = np.zeros((len(rows), len(EMOTIONS)), np.int8)
    for index, (name, row) in enumerate(rows):
        wrong = "it has no emotion_1, and only labelled clips have soft labels" if is_missing(row[1]) else label_problem(*row)
        if wrong:
            raise BadInput(f"row {index}{name}: {wrong}; correct it or leave the row out.")
        _, first, second, first_salience, second_salience = row
        if is_missing(second):
            percent[index, EMOTIONS.index(first)] = 100
        else:
            percent[index, EMOTIONS.index(first)] = int(float(first_salience))
            percent[index, EMOTIONS.index(second)] = int(float(second_salience))
    return percent


def soft_labels(sheet: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> NDArray[np.float32]:
    """Labels as distributions, shape (n, 6): 0.7/0.3, 0.5/0.5 or one-hot; takes and refuses what `percentages` does."""
    return (percentages(sheet) / 100).astype(np.float32)


def teaching_labels(sheet: pd.DataFrame) -> NDArray[np.float32]:
    """Soft labels of all clips of the checked sheet, shape (n, 6); NaN for test clips, whose labels nothing may learn from."""
    y = np.full((len(sheet), len(EMOTIONS)), np.nan, np.float32)
    labelled = (sheet["split"] != "test").to_numpy()
    y[labelled] = soft_labels(sheet[labelled])
    return y


def _rows(sheet: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The clip's name in parentheses, and the label columns; an absent column is missing everywhere."""
    table = sheet if isinstance(sheet, pd.DataFrame) else pd.DataFrame(sheet)
    names = [f" ({name})" for name in table["filename"]] if "filename" in table else [""] * len(table)
    return zip(names, table.reindex(columns=list(LABEL_COLUMNS)).astype(object).itertuples(index=False, name=None))
